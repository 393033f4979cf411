/*
 * imf-parse - what is in a message (RFC 5322, MIME)
 * usage   imf-parse [-vw]
 * fd 0    a job or a bare message; with -w, a SOCK_SEQPACKET socket of jobs
 * fd 1    the job with an imf line added, or that line alone; with -v also
 *         the other records of parts(5)
 * exit    0 well-formed, 1 not; 100 usage, 111 temporary; as a filter 0
 *         whatever was found
 * rights  user pneu-parse; once started, no files and no network
 */
#include <unistd.h>

#include "base/confine.h"
#include "base/die.h"
#include "imf/charset.h"
#include "imf/parts.h"
#include "stage/stage.h"

/*
 * Address space: the largest message in a stream twice (its lines are made
 * CRLF), and what is found in it.
 */
#define MEMORY_MAX ((uint64_t)2 << 30)

static int
run(void *ctx, struct job *j, struct strbuf *out)
{
	struct strbuf scratch = STRBUF_INIT(JOB_ENVELOPE_MAX), none =
	    STRBUF_INIT(0);

	(void)ctx;
	if (j->verbose)
		imf_parts(j->msg, out, &scratch);
	else
		imf_parts(j->msg, j->new_parts != NULL ? j->new_parts : &none,
		    out);
	j->unfavourable = slice_starts(sb_slice(out), S("imf result=bad"));
	sb_free(&scratch);
	sb_free(&none);
	return EXIT_DONE;
}

int
main(int argc, char **argv)
{
	static const struct confine cage = { .memory = MEMORY_MAX };
	struct stage s = { .name = "imf-parse", .types = "imf", .run = run,
		.writes_parts = true, .skip_parts = true };
	struct stage_opts o = { 0 };
	int ch;

	prog_start(argc, argv, "[-vw]", "say what is in a message",
	    "files: none; network: none");
	while ((ch = getopt(argc, argv, STAGE_OPTS)) != -1)
		if (!stage_option(&o, ch, optarg))
			usage();
	if (argc != optind)
		usage();
	if (o.verbose)
		s.types = "imf,field,address,part,envelope,envelope-utf8,body,"
			  "preview,thread";
	charset_preload();
	if (confine(&cage) == -1)
		die_sys(EXIT_TEMP, "unable to confine");
	return stage_main(&s, &o);
}
