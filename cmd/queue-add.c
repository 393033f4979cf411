/*
 * queue-add - put a message into the queue of outgoing mail
 * usage   queue-add [-wvn] [-C root] [-i ip] [-H helo] [-f from] [-r rcpt]
 * fd 0    a job or a bare message; with -w, a SOCK_SEQPACKET socket of jobs
 * fd 1    the job with a `queued' line; with -w, not used: the last stage
 * exit    0 queued; 100 refused; 111 try again
 * rights  user pneu-queue; reads cdb/conf.cdb, writes queue/; network: none
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/confine.h"
#include "base/die.h"
#include "base/log.h"
#include "conf/conf.h"
#include "imf/date.h"
#include "imf/authres.h"
#include "imf/field.h"
#include "imf/strip.h"
#include "queue/entry.h"
#include "queue/queue.h"
#include "stage/stage.h"

/* Received fields after which mail runs in a circle (RFC 5321, 6.3). */
#define HOPS_MAX 100
#define RECEIVED_MAX ((size_t)4096)
#define LINES_MAX ((size_t)256 * 1024) /* of what stages put in front */

struct adder {
	struct queue queue;
	struct conf *conf;
	const char *root;
};

/* What one job becomes; lives in the arena. */
struct work {
	struct strbuf head;     /* new header fields */
	struct strbuf envelope;
	size_t size;            /* of the message with its head */
};

static void
refresh(void *ctx)
{
	struct adder *a = ctx;

	(void)conf_refresh(a->conf);
}

/* "from ... by ... with ...": the client's address is nobody's business. */
static void
put_received(struct strbuf *sb, struct adder *a, const struct job *j)
{
	struct slice host = conf_host(a->conf, "name");
	struct slice proto = job_get(j, "client", "proto");
	const struct tuple *rcpt = job_next(j, "rcpt", NULL);

	sb_printf(sb, "Received: ");
	if (proto.n != 0 && slice_is_print(proto))
		sb_printf(sb, "from %.*s by %.*s with %.*s id %s",
		    SLICE_ARG(host), SLICE_ARG(host), SLICE_ARG(proto), j->id);
	else
		sb_printf(sb, "by %.*s id %s", SLICE_ARG(host), j->id);
	if (job_get(j, "client", "tls").n != 0 &&
	    slice_is_print(job_get(j, "client", "tls")) &&
	    slice_is_print(job_get(j, "client", "cipher")))
		sb_printf(sb, "\r\n\t(%.*s %.*s)",
		    SLICE_ARG(job_get(j, "client", "tls")),
		    SLICE_ARG(job_get(j, "client", "cipher")));
	if (rcpt != NULL && job_next(j, "rcpt", rcpt) == NULL &&
	    slice_is_print(tuple_value(rcpt, "addr")))
		sb_printf(sb, "\r\n\tfor <%.*s>",
		    SLICE_ARG(tuple_value(rcpt, "addr")));
	sb_puts(sb, ";\r\n\t");
	date_write(sb, j->time, 0);
	sb_puts(sb, "\r\n");
}

/*
 * Fields that a stage wants in front: CRLF line ends, every line but the first
 * folded, so that it is one field and cannot end the header.
 */
static int
put_field(struct strbuf *sb, struct slice text)
{
	struct slice line;
	bool first = true;

	while (slice_line(&text, &line)) {
		if (line.n == 0 || slice_chr(line, '\r') != -1 ||
		    ascii_isblank(line.p[0]) == first ||
		    (first && slice_chr(line, ':') <= 0))
			return -1;
		sb_put(sb, line);
		sb_puts(sb, "\r\n");
		first = false;
	}
	return first ? -1 : 0;
}

static int
put_fields(struct strbuf *sb, const struct job *j, const char *type)
{
	const struct tuple *t = NULL;

	while ((t = job_next(j, type, t)) != NULL) {
		struct slice text = tuple_value(t, "text");

		if (text.n != 0 && put_field(sb, text) == -1)
			return -1;
	}
	return 0;
}

/* Facts about the message that decide how it travels. */
struct facts {
	unsigned hops;
	bool eight_bit, wide_header;
};

static struct facts
look(struct slice msg)
{
	struct slice rest = msg, head;
	struct facts f = { .eight_bit = !slice_is_ascii(msg) };
	struct field field;

	while (field_next(&rest, &field) == 1)
		f.hops += slice_ieqs(field.name, "received");
	head = slice_sub(msg, 0, msg.n - rest.n);
	f.wide_header = f.eight_bit && !slice_is_ascii(head);
	return f;
}

/* The envelope of the entry: the client's records, with the message's true
 * size and nature. SMTPUTF8 is asked for only where it is needed: for the
 * header or the sender here, for recipients by queue-run. */
static void
put_envelope(struct work *w, const struct job *j, const struct facts *f)
{
	static const char *const kept[] = { "client", "auth", "peer", "from",
		"rcpt" };
	bool utf8 = !slice_is_ascii(job_get(j, "from", "addr")) ||
	    (f->wide_header && slice_eqs(job_get(j, "job", "smtputf8"), "yes"));
	struct strbuf *sb = &w->envelope;

	tuple_begin(sb, "job");
	tuple_puts(sb, "id", j->id);
	tuple_putu(sb, "size", w->size);
	tuple_putu(sb, "time", (uint64_t)j->time);
	tuple_puts(sb, "body", f->eight_bit ? "8bitmime" : "7bit");
	tuple_puts(sb, "smtputf8", utf8 ? "yes" : "no");
	tuple_end(sb);
	for (size_t k = 0; k < COUNTOF(kept); k++) {
		const struct tuple *t = NULL;

		while ((t = job_next(j, kept[k], t)) != NULL) {
			sb_put(sb, slice_rtrim(t->raw));
			sb_putc(sb, '\n');
		}
	}
}

struct taker {
	struct conf *conf;
	struct arena *arena;
};

static bool
in_our_name(void *ctx, const struct field *f)
{
	struct taker *t = ctx;

	return authres_is_ours(f, conf_is_hostname, t->conf,
	    t->arena);
}

/*
 * The message without results that it claims this host has found: what we
 * sign may not carry them (RFC 8601 section 5). 0, or the verdict.
 */
static int
put_body(struct adder *a, struct job *j, struct work *w, struct queue_new *n)
{
	struct taker t = { .conf = a->conf, .arena = j->arena };
	struct strip *left = arena_alloc(j->arena, sizeof(*left));

	strip_fields(j->msg, QUEUE_BODY_MAX - 1, in_our_name, &t, left);
	if (left->full)
		return job_refuse(j, 550, "5.6.0",
		    "too many fields that only this host may write");
	n->body[n->count++] = sb_slice(&w->head);
	for (size_t i = 0; i < left->count; i++) {
		w->size += left->part[i].n;
		n->body[n->count++] = left->part[i];
	}
	w->size += w->head.n;
	return 0;
}

/* Make the entry of a job: 0, or the verdict. */
static int
prepare(struct adder *a, struct job *j, struct work *w, struct queue_new *n)
{
	struct facts f = look(j->msg);
	struct qentry probe;
	const char *why;
	int r;

	if (f.hops > HOPS_MAX)
		return job_refuse(j, 554, "5.4.6", "mail loop: %u Received "
		    "fields", f.hops);
	put_received(&w->head, a, j);
	if (put_fields(&w->head, j, "sign") == -1 ||
	    put_fields(&w->head, j, "prepend") == -1 || w->head.over) {
		log_error("job %s: a stage wrote a bad header field", j->id);
		return job_refuse(j, 451, "4.3.0", "local error");
	}
	n->count = 0;
	if ((r = put_body(a, j, w, n)) != 0)
		return r;
	put_envelope(w, j, &f);
	r = w->envelope.over ? -1 :
	    qentry_parse(&probe, sb_slice(&w->envelope), &why);
	if (!w->envelope.over)
		qentry_free(&probe);
	if (r == -1)
		return job_refuse(j, 554, "5.5.4", "no valid envelope");
	memcpy(n->id, j->id, sizeof(n->id));
	n->envelope = sb_slice(&w->envelope);
	return 0;
}

/* smtp-serve logs what it hands over; mail of a local program has only us. */
static void
log_local(const struct job *j, size_t rcpts)
{
	struct strbuf *l = log_begin("queued");

	tuple_puts(l, "id", j->id);
	tuple_opt(l, "uid", job_get(j, "peer", "uid"));
	tuple_put(l, "from", job_get(j, "from", "addr"));
	tuple_put(l, "rcpt", job_get(j, "rcpt", "addr"));
	tuple_putu(l, "rcpts", rcpts);
	tuple_putu(l, "size", j->size);
	log_end();
}

static int
answer(struct job *j, const struct queue_new *n, struct strbuf *out)
{
	size_t rcpts = 0;
	const struct tuple *t = NULL;

	if (n->error != 0) {
		bool full = n->error == ENOSPC || n->error == EDQUOT;

		log_error("job %s: unable to queue: %s", j->id,
		    strerror(n->error));
		return full ? job_refuse(j, 452, "4.3.1",
		    "insufficient system storage") :
		    job_refuse(j, 451, "4.3.0", "unable to queue now");
	}
	while ((t = job_next(j, "rcpt", t)) != NULL)
		rcpts++;
	if (job_find(j, "peer") != NULL && job_find(j, "client") == NULL)
		log_local(j, rcpts);
	tuple_begin(out, "queued");
	tuple_puts(out, "id", j->id);
	tuple_putu(out, "rcpts", rcpts);
	tuple_end(out);
	return job_accept(j, "2.0.0", "queued as %s", j->id);
}

/* Done again: what was queued before a process died stays as it is, and may
 * have been sent. True if there is an answer. */
static bool
had(struct adder *a, struct job *j, struct strbuf *out, int *verdict)
{
	struct queue_new n = { .error = 0 };
	int r = j->again ? queue_had(&a->queue, j->id) : 0;

	if (r == 0)
		return false;
	if (r == -1)
		n.error = errno;
	*verdict = answer(j, &n, out);
	return true;
}

static void
run_batch(void *ctx, struct job **jobs, struct strbuf *out, int *verdict,
    size_t count)
{
	struct adder *a = ctx;
	struct queue_new *n = xcalloc(count, sizeof(*n));
	struct work *w = xcalloc(count, sizeof(*w));
	size_t *who = xcalloc(count, sizeof(*who)), good = 0;
	struct strbuf ids = STRBUF_INIT(STAGE_BATCH_MAX * (RID_LEN + 1));

	for (size_t i = 0; i < count; i++) {
		sb_init(&w[i].head, LINES_MAX);
		sb_init(&w[i].envelope, QUEUE_ENVELOPE_MAX);
		if (had(a, jobs[i], &out[i], &verdict[i])) {
			sb_printf(&ids, "%s ", jobs[i]->id);
			continue;
		}
		verdict[i] = prepare(a, jobs[i], &w[i], &n[good]);
		if (verdict[i] == 0)
			who[good++] = i;
	}
	queue_add(&a->queue, n, good);
	for (size_t k = 0; k < good; k++) {
		size_t i = who[k];

		verdict[i] = answer(jobs[i], &n[k], &out[i]);
		if (n[k].error == 0)
			sb_printf(&ids, "%s ", n[k].id);
	}
	if (ids.n != 0)
		queue_ring(a->root, sb_slice(&ids));
	for (size_t i = 0; i < count; i++) {
		sb_free(&w[i].head);
		sb_free(&w[i].envelope);
	}
	sb_free(&ids);
	free(who);
	free(w);
	free(n);
}

/* Open what is needed, then give up the rest. */
static void
enter(struct adder *a, const char *root)
{
	char *cdb = xprintf("%s/cdb", root), *queue = xprintf("%s/queue", root);
	const char *read[] = { cdb, NULL }, *write[] = { queue, NULL };
	const struct confine cage = { .flags = CONFINE_UNIX, .read = read,
		.write = write };

	a->root = root;
	if ((a->conf = conf_open(root)) == NULL)
		die_sys(EXIT_TEMP, "unable to read %s/conf.cdb", cdb);
	if (queue_open(&a->queue, root) == -1)
		die_sys(EXIT_TEMP, "unable to open %s", queue);
	if (confine(&cage) == -1)
		die_sys(EXIT_TEMP, "unable to confine");
	free(cdb);
	free(queue);
}

int
main(int argc, char **argv)
{
	static struct adder a;
	const struct stage stage = { .name = "queue-add", .types = "queued",
		.run_batch = run_batch, .most = STAGE_BATCH_MAX,
		.refresh = refresh, .ctx = &a };
	struct stage_opts opts = { 0 };
	const char *root = NULL;
	int ch;

	prog_start(argc, argv,
	    "[-wvn] [-C root] [-i ip] [-H helo] [-f from] [-r rcpt]",
	    "put a message into the queue of outgoing mail",
	    "files: reads cdb/conf.cdb, writes queue/; network: none");
	while ((ch = getopt(argc, argv, "C:" STAGE_OPTS)) != -1)
		if (ch == 'C')
			root = optarg;
		else if (!stage_option(&opts, ch, optarg))
			usage();
	if (optind != argc)
		usage();
	enter(&a, conf_root(root));
	return stage_main(&stage, &opts);
}
