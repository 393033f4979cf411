/*
 * caps.h - what this server can do, announced before and after login
 *
 * One list, so that imap-login promises what imap-serve does. Extensions with
 * a parameter of the mechanism kind (AUTH=, STARTTLS, LOGINDISABLED) are added
 * by imap-login alone. APPENDLIMIT without a number: STATUS tells it (RFC 7889
 * section 3), so that imap-login need not know the configuration.
 */
#ifndef IMAP_CAPS_H
#define IMAP_CAPS_H

#define IMAP_CAPS \
	"IMAP4rev2 IMAP4rev1 ENABLE LITERAL+ IDLE SASL-IR BINARY UNSELECT " \
	"UIDPLUS ESEARCH SEARCHRES MOVE UTF8=ACCEPT CHILDREN LIST-EXTENDED " \
	"SPECIAL-USE CREATE-SPECIAL-USE LIST-STATUS ID " \
	"APPENDLIMIT CONDSTORE QRESYNC STATUS=SIZE " \
	"SAVEDATE WITHIN NAMESPACE MULTIAPPEND PREVIEW"

#endif
