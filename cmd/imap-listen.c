/*
 * imap-listen - accept IMAP connections and hand them to imap-login
 * usage   imap-listen [-C root]
 * fd 2    log lines
 * exit    0 stopped by a signal; 100 bad usage; 111 no configuration, or an
 *         address cannot be listened on
 * rights  accepts on its sockets, runs imap-login, which confines itself;
 *         opens no file and parses nothing that a stranger sends
 */
#include "listen.h"

static bool
is_ours(struct slice service)
{
	return slice_eqs(service, "imap") || slice_eqs(service, "imaps");
}

static struct slice
refusal(const char *service)
{
	if (slice_eqs(slice_str(service), "imaps"))
		return SLICE_NONE; /* it expects TLS */
	return S("* BYE too many connections from your network\r\n");
}

int
main(int argc, char **argv)
{
	static const struct listen l = {
		.purpose = "accept IMAP connections and hand them to imap-login",
		.cage = "accepts on its sockets; runs imap-login; files: counters "
		    "and what the linker needs",
		.child = "imap-login",
		.processes = "imap-processes",
		.ours = is_ours,
		.refusal = refusal,
	};

	return listen_main(argc, argv, &l);
}
