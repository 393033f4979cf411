/*
 * smtp-listen - accept SMTP connections and hand them to smtp-serve
 * usage   smtp-listen [-C root]
 * fd 2    log lines
 * exit    0 stopped by a signal; 100 bad usage; 111 no configuration, or an
 *         address cannot be listened on
 * rights  accepts on its sockets, runs smtp-serve, which confines itself;
 *         opens no file and parses nothing that a stranger sends
 */
#include "listen.h"

static bool
is_ours(struct slice service)
{
	return slice_eqs(service, "smtp") ||
	    slice_starts(service, S("submission"));
}

static struct slice
refusal(const char *service)
{
	if (slice_eqs(slice_str(service), "submissions"))
		return SLICE_NONE; /* it expects TLS */
	return S("421 4.7.0 too many connections from your network\r\n");
}

int
main(int argc, char **argv)
{
	static const struct listen l = {
		.purpose = "accept SMTP connections and hand them to smtp-serve",
		.cage = "accepts on its sockets; runs smtp-serve; files: what "
		    "smtp-serve and the linker need",
		.child = "smtp-serve",
		.processes = "smtp-processes",
		.ours = is_ours,
		.refusal = refusal,
		.read = { "cdb" },
		.write = { "spool" },
	};

	return listen_main(argc, argv, &l);
}
