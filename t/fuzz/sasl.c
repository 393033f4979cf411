/* SASL messages, one a line after the mechanism's number; keys are made up. */
#include "sasl/sasl.h"

#include "base/alloc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const mechs[] = { "PLAIN", "LOGIN", "SCRAM-SHA-1",
		"SCRAM-SHA-1-PLUS", "SCRAM-SHA-256", "SCRAM-SHA-256-PLUS" };
	struct sasl_channel ch = { true, S("exporter"), S("unique") };
	struct scram_keys k = { .iterations = 4096, .salt_n = SCRAM_SALT };
	struct strbuf out = STRBUF_INIT(2 * SASL_MESSAGE_MAX);
	struct slice in = slice_of(data, size), line;
	enum sasl_result r = SASL_CONTINUE;
	struct sasl *s;

	if (size == 0)
		return 0;
	ch.tls = data[0] & 0x80;
	s = sasl_init(slice_str(mechs[(data[0] & 0x7f) % COUNTOF(mechs)]), &ch,
	    S("server-nonce"));
	in = slice_skip(in, 1);
	while (r == SASL_CONTINUE && slice_cut(&in, '\n', &line)) {
		r = sasl_feed(s, line, &out);
		if (r == SASL_KEYS)
			r = sasl_keys(s, &k, true, &out);
	}
	if (r == SASL_OK || (r == SASL_CHECK && (sasl_login(s).n == 0 ||
	    sasl_password(s).n == 0)) || (r == SASL_FAIL &&
	    sasl_reason(s) == NULL))
		abort();
	sasl_free(s);
	sb_free(&out);
	return 0;
}
