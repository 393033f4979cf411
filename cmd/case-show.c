/*
 * case-show - show what was found about a message, and what it was told
 * usage   case-show [-v] [-C root] id
 * fd 1    the case, as job(5); with -v, sentences
 * exit    0 done; 100 bad usage, no such case; 111 it cannot be read
 * rights  reads case/; network: none
 */
#include <time.h>
#include <unistd.h>

#include "base/confine.h"
#include "base/file.h"
#include "case.h"

#define OUT_MAX ((size_t)4 * 1024 * 1024)

/* A value, escaped and quoted as in a tuple. */
static void
put_value(struct strbuf *sb, const char *before, const struct tuple *t,
    const char *name, const char *after)
{
	struct slice v;

	if (t == NULL || !tuple_get(t, name, &v))
		return;
	sb_puts(sb, before);
	if (v.n > 0)
		tuple_quote(sb, v);
	else
		sb_puts(sb, "<>");
	sb_puts(sb, after);
}

static void
put_message(struct strbuf *sb, const struct job *j)
{
	const struct tuple *client = job_find(j, "client"), *t = NULL;
	time_t when = (time_t)j->time;
	char text[64] = "";
	struct tm tm;

	if (gmtime_r(&when, &tm) != NULL)
		(void)strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S UTC", &tm);
	sb_printf(sb, "message   %s of %s, %llu bytes\n", j->id, text,
	    (unsigned long long)j->size);
	put_value(sb, "client    ", client, "ip", "");
	put_value(sb, ", which called itself ", client, "helo", "");
	put_value(sb, ", by ", client, "proto", "");
	put_value(sb, " ", client, "tls", "");
	sb_puts(sb, client != NULL ? "\n" : "");
	put_value(sb, "account   ", job_find(j, "auth"), "account", "\n");
	put_value(sb, "from      ", job_find(j, "from"), "addr", "\n");
	while ((t = job_next(j, "rcpt", t)) != NULL) {
		put_value(sb, "to        ", t, "addr", "");
		put_value(sb, ", that is account ", t, "account", "");
		sb_putc(sb, '\n');
	}
	put_value(sb, "From      ", job_find(j, "imf"), "from", "\n");
	put_value(sb, "subject   ", job_find(j, "imf"), "subject", "\n");
}

/* How many questions a program asked, and which had no answer. */
static void
put_questions(struct strbuf *sb, const struct job *j, const char *by)
{
	const struct tuple *t = NULL;
	struct slice status;
	size_t n = 0;

	while ((t = job_next(j, "dns", t)) != NULL) {
		if (!tuple_has(t, "by", by) || !tuple_get(t, "status", &status))
			continue;
		n++;
		if (slice_eqs(status, "ok") || slice_eqs(status, "nxdomain") ||
		    slice_eqs(status, "nodata"))
			continue;
		put_value(sb, "          the DNS did not say ", t, "type", "");
		put_value(sb, " of ", t, "name", "");
		put_value(sb, ": ", t, "reason", "\n");
	}
	if (n != 0)
		sb_printf(sb, "          it asked the DNS %zu question%s\n", n,
		    n == 1 ? "" : "s");
}

/* One verdict. What it is about stands in different attributes. */
static void
put_verdict(struct strbuf *sb, const struct tuple *t)
{
	static const struct {
		const char *name, *before;
	} attrs[] = {
		{ "identity", " of the identity " }, { "name", ", name " },
		{ "domain", ", domain " }, { "selector", ", selector " },
		{ "zone", ", list " }, { "mech", ", by the term " },
		{ "aligned", ", aligned by " }, { "policy", ", policy " },
		{ "policy-domain", " of " }, { "disposition", ", to do: " },
		{ "reason", ": " },
		{ "explanation", "; the domain's owner explains: " },
		{ "by", "; this line is by " },
	};

	sb_put(sb, t->type);
	for (size_t pad = t->type.n; pad < 10; pad++)
		sb_putc(sb, ' ');
	put_value(sb, "", t, "result", "");
	for (size_t i = 0; i < COUNTOF(attrs); i++)
		put_value(sb, attrs[i].before, t, attrs[i].name, "");
	if (tuple_has(t, "dnssec", "yes"))
		sb_puts(sb, " (DNSSEC)");
	sb_putc(sb, '\n');
}

static void
explain(struct strbuf *sb, const struct job *j, const struct tuple *reply)
{
	put_message(sb, j);
	for (size_t i = 0; i < CHECKS; i++) {
		const struct tuple *t = NULL;

		while ((t = job_next(j, checks[i].type, t)) != NULL)
			put_verdict(sb, t);
		put_questions(sb, j, checks[i].program);
	}
	put_value(sb, "reply     ", reply, "code", "");
	put_value(sb, " ", reply, "ecode", "");
	put_value(sb, " ", reply, "text", "\n");
}

int
main(int argc, char **argv)
{
	struct strbuf text = STRBUF_INIT(OUT_MAX), out = STRBUF_INIT(OUT_MAX);
	struct arena ar = { 0 };
	const struct tuple *reply;
	const char *root = NULL;
	bool verbose = false;
	struct job j;
	int ch;

	prog_start(argc, argv, "[-v] [-C root] id",
	    "show what was found about a message, and what it was told",
	    "reads case/; network: none");
	while ((ch = getopt(argc, argv, "C:v")) != -1)
		switch (ch) {
		case 'C': root = optarg; break;
		case 'v': verbose = true; break;
		default: usage();
		}
	if (argc != optind + 1)
		usage();
	root = conf_root(root);
	if (confine(&(struct confine){ .read = (const char *[]){
	    xprintf("%s/case", root), NULL } }) == -1)
		die_sys(errno == ENOENT ? EXIT_PERM : EXIT_TEMP,
		    "unable to use %s/case", root);
	case_get(root, argv[optind], &text);
	case_read(&j, &ar, argv[optind], sb_slice(&text), &reply);
	if (verbose)
		explain(&out, &j, reply);
	if (write_all(STDOUT_FILENO, sb_slice(verbose ? &out : &text)) == -1)
		die_sys(EXIT_TEMP, "unable to write");
	sb_free(&text);
	sb_free(&out);
	arena_free(&ar);
	return EXIT_DONE;
}
