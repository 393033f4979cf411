#include "dns/dnsxl.h"

#include <stdlib.h>
#include <sys/socket.h>

#include "base/alloc.h"

/* Names have 253 bytes; the 32 nibbles of IPv6 with their dots take 64. */
#define ZONE_MAX (253 - 64)

/* ---- the list ---- */

static uint32_t
number_of(const struct ip *ip)
{
	return (uint32_t)ip->b[0] << 24 | (uint32_t)ip->b[1] << 16 |
	    (uint32_t)ip->b[2] << 8 | ip->b[3];
}

/* An address that a list may answer with. */
static bool
parse_code(struct slice text, uint32_t *code)
{
	struct ip ip;

	if (ip_parse(text, &ip) == -1 || ip.family != AF_INET || ip.b[0] != 127)
		return false;
	*code = number_of(&ip);
	return true;
}

static const char *
parse_codes(struct slice text, struct dnsxl *list)
{
	struct slice item, first;
	bool more = true;

	while (more) {
		more = slice_cut(&text, ',', &item);
		if (list->codes == DNSXL_CODES_MAX)
			return "too many codes";
		if (!slice_cut(&item, '-', &first))
			item = first;
		if (!parse_code(first, &list->code[list->codes].first) ||
		    !parse_code(item, &list->code[list->codes].last) ||
		    list->code[list->codes].first >
		    list->code[list->codes].last)
			return "a code is 127.x.y.z, or a range of them";
		list->codes++;
	}
	return NULL;
}

const char *
dnsxl_parse(struct slice text, struct arena *ar, struct dnsxl *list)
{
	struct slice zone;
	bool codes = slice_cut(&text, '/', &zone);

	list->codes = 0;
	if (domain_ascii(zone, ar, &list->zone) == -1 ||
	    list->zone.n > ZONE_MAX)
		return "not a domain name, or too long for a list";
	return codes ? parse_codes(text, list) : NULL;
}

static void
put_code(struct strbuf *sb, uint32_t code)
{
	sb_printf(sb, "%u.%u.%u.%u", code >> 24, code >> 16 & 255,
	    code >> 8 & 255, code & 255);
}

void
dnsxl_format(struct strbuf *sb, const struct dnsxl *list)
{
	sb_put(sb, list->zone);
	for (size_t i = 0; i < list->codes; i++) {
		sb_putc(sb, i == 0 ? '/' : ',');
		put_code(sb, list->code[i].first);
		if (list->code[i].first == list->code[i].last)
			continue;
		sb_putc(sb, '-');
		put_code(sb, list->code[i].last);
	}
}

/* ---- the question ---- */

void
dnsxl_name(struct strbuf *sb, const struct ip *ip, struct slice zone)
{
	if (ip->family == AF_INET)
		for (int i = 3; i >= 0; i--)
			sb_printf(sb, "%u.", ip->b[i]);
	else
		for (int i = 15; i >= 0; i--)
			sb_printf(sb, "%x.%x.", ip->b[i] & 15, ip->b[i] >> 4);
	sb_put(sb, zone);
}

struct ip
dnsxl_test_ip(int family, unsigned number)
{
	struct ip ip = { .family = family };

	if (family == AF_INET) {
		ip.b[0] = 127;
		ip.b[3] = (unsigned char)number;
	} else {
		ip.b[10] = ip.b[11] = 0xff;
		ip.b[12] = 127;
		ip.b[15] = (unsigned char)number;
	}
	return ip;
}

/* ---- the answer ---- */

static bool
is_wanted(const struct dnsxl *list, uint32_t code)
{
	for (size_t i = 0; i < list->codes; i++)
		if (code >= list->code[i].first && code <= list->code[i].last)
			return true;
	return list->codes == 0;
}

static int
compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

/* The addresses in order, each once, so that the order of an answer, which
 * changes each time, changes nothing. */
static size_t
collect(const struct dns_answer *a, struct arena *ar, uint32_t **out)
{
	uint32_t *code = arena_alloc(ar, a->count * sizeof(*code));
	size_t n = 0;

	for (size_t i = 0; i < a->count; i++)
		code[i] = number_of(&a->rr[i].ip);
	qsort(code, a->count, sizeof(*code), compare);
	for (size_t i = 0; i < a->count; i++)
		if (n == 0 || code[n - 1] != code[i])
			code[n++] = code[i];
	*out = code;
	return n;
}

static struct slice
join(const uint32_t *code, size_t n, struct arena *ar)
{
	struct strbuf sb = STRBUF_INIT((DNSXL_TOLD_MAX + 2) * 16);
	struct slice out;

	for (size_t i = 0; i < n && i < DNSXL_TOLD_MAX; i++) {
		if (i != 0)
			sb_putc(&sb, ',');
		put_code(&sb, code[i]);
	}
	if (n > DNSXL_TOLD_MAX)
		sb_printf(&sb, ",+%zu", n - DNSXL_TOLD_MAX);
	out = arena_copy(ar, sb_slice(&sb));
	sb_free(&sb);
	return out;
}

static void
read_codes(const struct dnsxl *list, const uint32_t *code, size_t n,
    struct dnsxl_answer *out)
{
	out->result = DNSXL_CLEAR;
	out->reason = "listed, but not with a code that counts here";
	for (size_t i = 0; i < n; i++)
		if (is_wanted(list, code[i])) {
			out->result = DNSXL_LISTED;
			out->reason = NULL;
		}
	for (size_t i = 0; i < n; i++) {
		if (code[i] >> 8 == 0x7fffff)
			out->reason = "the list does not answer this resolver";
		else if (code[i] >> 24 != 127)
			out->reason =
			    "the answer is not one that a list gives";
		else
			continue;
		out->result = DNSXL_ERROR;
		return;
	}
}

void
dnsxl_read(const struct dnsxl *list, const struct dns_answer *a,
    struct arena *ar, struct dnsxl_answer *out)
{
	uint32_t *code;
	size_t n;

	*out = (struct dnsxl_answer){ .result = DNSXL_ERROR,
		.reason = a->reason };
	switch (a->status) {
	case DNS_OK:
		n = collect(a, ar, &code);
		out->codes = join(code, n, ar);
		read_codes(list, code, n, out);
		return;
	case DNS_NXDOMAIN:
	case DNS_NODATA:
		out->result = DNSXL_CLEAR;
		out->reason = NULL;
		return;
	default:
		out->temporary = a->status != DNS_BADNAME;
	}
}

struct slice
dnsxl_text(const struct dns_answer *a, struct arena *ar)
{
	struct strbuf sb = STRBUF_INIT(DNSXL_TEXT_MAX + 1);
	struct slice out;

	for (size_t i = 0; i < a->count; i++) {
		struct slice t = slice_sub(a->rr[i].text, 0,
		    DNSXL_TEXT_MAX - sb.n);

		if (sb.n != 0 && sb.n + 2 < DNSXL_TEXT_MAX) {
			sb_puts(&sb, "; ");
			t = slice_sub(t, 0, DNSXL_TEXT_MAX - sb.n);
		} else if (sb.n != 0)
			break;
		sb_put(&sb, t);
	}
	out = arena_copy(ar, sb_slice(&sb));
	sb_free(&sb);
	return out;
}
