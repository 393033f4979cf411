/*
 * deliver - put a message into the mailboxes of its recipients
 * usage   deliver [-wv] [-C root] [-f from] [-r rcpt] [address]
 * fd 0    a job or a bare message; with -w, a SOCK_SEQPACKET socket of jobs
 * fd 1    the job with a `deliver' line for each copy, or those lines alone;
 *         with -w, not used: the last stage
 * exit    0 delivered; 100 refused; 111 try again
 * rights  user pneu-mail; reads cdb/conf.cdb, writes mail/; network: none
 */
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/confine.h"
#include "base/die.h"
#include "base/file.h"
#include "deliver.h"
#include "imf/charset.h"
#include "imf/parts.h"

static void
refresh(void *ctx)
{
	struct deliver *d = ctx;

	(void)conf_refresh(d->conf);
}

/* Outside a pipeline nobody has parsed the message. */
static int
make_parts(const struct job *j, struct strbuf *parts)
{
	struct strbuf summary = STRBUF_INIT(JOB_ENVELOPE_MAX);

	imf_parts(j->msg, parts, &summary);
	sb_free(&summary);
	return 0;
}

/* Open what is needed, then give up the rest. */
static void
enter(struct deliver *d, const char *root)
{
	char *cdb = xprintf("%s/cdb", root), *mail = xprintf("%s/mail", root);
	const char *read[] = { cdb, NULL }, *write[] = { mail, NULL };
	const struct confine cage = { .read = read, .write = write };

	d->root = root;
	if ((d->conf = conf_open(root)) == NULL)
		die_sys(EXIT_TEMP, "unable to read %s/conf.cdb", cdb);
	if (dir_make(AT_FDCWD, mail, 0700) == -1)
		die_sys(EXIT_TEMP, "unable to make %s", mail);
	if (confine(&cage) == -1)
		die_sys(EXIT_TEMP, "unable to confine");
	free(cdb);
	free(mail);
}

int
main(int argc, char **argv)
{
	static struct deliver d;
	const struct stage stage = { .name = "deliver", .types = "deliver",
		.run_batch = deliver_batch, .most = STAGE_BATCH_MAX,
		.refresh = refresh, .ctx = &d, .make_parts = make_parts };
	struct stage_opts opts = { 0 };
	const char *root = NULL;
	int ch;

	prog_start(argc, argv,
	    "[-wv] [-C root] [-f from] [-r rcpt] [address]",
	    "put a message into the mailboxes of its recipients",
	    "files: reads cdb/conf.cdb, writes mail/; network: none");
	while ((ch = getopt(argc, argv, "C:" STAGE_OPTS)) != -1)
		if (ch == 'C')
			root = optarg;
		else if (!stage_option(&opts, ch, optarg))
			usage();
	if (argc - optind > 1 || opts.no_message)
		usage();
	if (optind < argc && !stage_option(&opts, 'r', argv[optind]))
		usage();
	if (!opts.worker)
		charset_preload();
	enter(&d, conf_root(root));
	return stage_main(&stage, &opts);
}
