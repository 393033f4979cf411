/* A DNS answer: first byte chooses the type asked for, the rest is a packet. */
#include "base/alloc.h"
#include "dns/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const enum dns_type types[] = { DNS_A, DNS_NS, DNS_CNAME,
		DNS_PTR, DNS_MX, DNS_TXT, DNS_AAAA, DNS_SRV, DNS_TLSA };
	struct dns_question q;
	struct dns_answer a;
	struct arena ar = { 0 };
	struct slice packet;

	if (size < 3 || dns_question_init(&q, S("a.test"),
	    types[data[0] % COUNTOF(types)]) == -1)
		return 0;
	packet = slice_of(data + 1, size - 1);
	if (!dns_wire_matches(packet, (uint16_t)(data[1] << 8 | data[2]), &q))
		return 0;
	if (dns_wire_parse(packet, &q, &ar, &a) == -1 &&
	    a.status != DNS_TEMP)
		abort();
	if (a.status == DNS_OK && a.count == 0)
		abort();
	for (size_t i = 0; i < a.count; i++)
		if (a.rr[i].name.n > DNS_NAME_MAX)
			abort();
	arena_free(&ar);
	return 0;
}
