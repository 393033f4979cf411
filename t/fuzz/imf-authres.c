/*
 * Authentication-Results: what is written in our name is known as ours, and
 * once the fields in our name are taken out of a message, none is left and
 * nothing else is missing.
 */
#include "imf/authres.h"

#include "imf/field.h"
#include "imf/strip.h"
#include "fuzz/fuzz.h"

static bool
is_mx(void *ctx, struct slice host)
{
	(void)ctx;
	/* Canonical: a name is compared in one spelling. */
	for (size_t i = 0; i < host.n; i++)
		check(host.p[i] != ascii_upper(host.p[i]) ||
		    !ascii_isalpha(host.p[i]));
	return slice_eqs(host, "mx.example.org");
}

static bool
in_our_name(void *ctx, const struct field *f)
{
	return authres_is_ours(f, is_mx, NULL, ctx);
}

static void
write_and_read(struct slice in, struct arena *ar)
{
	struct slice half = slice_sub(in, 0, in.n / 2), id, line;
	struct authres_prop prop = { "smtp.mailfrom", in };
	struct authres_result r = { .method = "spf", .props = &prop,
		.count = 1 };
	struct strbuf sb = STRBUF_INIT(1 << 16);
	struct field f;

	r.reason = half;
	r.result = S("pass");
	r.comment = slice_skip(in, in.n / 2);
	authres_write(&sb, S("mx.example.org"), &r, 1);
	in = sb_slice(&sb);
	check(field_next(&in, &f) == 1 && !f.bad && in.n == 0);
	check(authres_id(f.value, ar, &id) == 0 &&
	    slice_eqs(id, "mx.example.org"));
	check(in_our_name(ar, &f) && slice_is_utf8(f.raw));
	for (in = f.raw; slice_line(&in, &line) == 1;)
		check(line.n <= 998 && slice_trim(line).n != 0);
	sb_free(&sb);
}

static void
take_out(struct slice msg, struct arena *ar)
{
	static struct strip left, again;
	struct strbuf sb = STRBUF_INIT(1 << 20);
	struct slice in = msg, rest;
	struct field f;
	size_t kept = 0;

	strip_fields(msg, STRIP_MAX, in_our_name, ar, &left);
	if (left.full)
		return;
	for (size_t i = 0; i < left.count; i++)
		sb_put(&sb, left.part[i]);
	rest = sb_slice(&sb);
	while (field_next(&in, &f) == 1) {
		bool loose = f.raw.p == msg.p && ascii_isblank(f.raw.p[0]);

		if (!loose && !in_our_name(ar, &f)) {
			check(slice_starts(slice_skip(rest, kept), f.raw));
			kept += f.raw.n;
		}
	}
	/* The last line of a header may lack its end: then all is header. */
	check(slice_ends(slice_skip(rest, kept), in) && kept + in.n <= rest.n);
	strip_fields(rest, STRIP_MAX, in_our_name, ar, &again);
	check(again.count == (rest.n != 0) && !again.full);
	sb_free(&sb);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice in = slice_of(data, size), id;
	struct arena ar = { 0 };
	struct strbuf sb = STRBUF_INIT(1 << 20);
	struct field f = { .name = S("Authentication-Results"), .value = in };

	if (authres_id(in, &ar, &id) == -1)
		check(in_our_name(&ar, &f));
	else
		check(in_our_name(&ar, &f) == is_mx(NULL, id));
	f.name = S("Received-SPF");
	(void)in_our_name(&ar, &f);
	write_and_read(in, &ar);
	take_out(in, &ar);
	sb_puts(&sb, "Received-SPF:");
	sb_put(&sb, in);
	sb_puts(&sb, "\r\nAuthentication-Results : ");
	sb_put(&sb, in);
	if (!sb.over)
		take_out(sb_slice(&sb), &ar);
	sb_free(&sb);
	arena_free(&ar);
	return 0;
}
