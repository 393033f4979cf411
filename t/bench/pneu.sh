bench_key() { :; }
bench_message() { printf 'From: a@sender.example\nTo: u@bench.example\nSubject: bench\nDate: Sat, 21 Nov 2026 00:00:00 +0000\nMessage-ID: <a@b>\n\n'; head -c "$1" /dev/zero | tr '\0' 'x' | fold -w 70; echo; }
