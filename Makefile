# pneu: one Makefile for everything.
#
#   make            all programs, in obj/release/bin
#   make test       all tests (installs missing Debian packages when root)
#   make localserve a whole mail system on this machine, in ./localserve
#   make test-fast  without system tests   make asan   all tests under ASan+UBSan
#   make fuzz       each fuzz target for FUZZ_SECONDS   make lint   static checks
#   make bench      measure beside peers   make install   DESTDIR, PREFIX
#
# A program is cmd/NAME.c, cmd/NAME.sh or all of cmd/NAME/*.c; a library module is
# lib/GROUP/*.c; a unit test is t/unit/NAME.c; a fuzz target is t/fuzz/NAME.c.

VERSION := 0.1
MODE    ?= release
CC      := $(if $(filter default,$(origin CC)),gcc,$(CC))
PREFIX  ?= /usr/local
JOBS    ?= $(shell nproc)
FUZZ_SECONDS ?= 20
O       := obj/$(MODE)
# V=1 shows the commands.
Q := $(if $(V),,@)
say = $(if $(V),,@echo '  $(1) $@')

WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
	-Wformat=2 -Wvla -Wpointer-arith -Wwrite-strings -Wundef
HARD := -fstack-protector-strong -fPIE
SAN  := -fsanitize=address,undefined -fno-sanitize-recover=all \
	-fno-omit-frame-pointer
PKGS := libssl libcrypto libsodium lmdb libcdb libidn2 libevent_core \
	libseccomp

CPPFLAGS += -Ilib -It -include lib/banned.h -D_GNU_SOURCE \
	-DPNEU_VERSION='"$(VERSION)"'
CFLAGS_release := -O2 -g -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2 $(HARD)
CFLAGS_asan    := -O1 -g $(SAN) -DPNEU_ASAN=1
CFLAGS_fuzz    := -O1 -g $(SAN) -fsanitize=fuzzer-no-link -DPNEU_ASAN=1
LDFLAGS_release := -pie -Wl,-z,relro,-z,now
LDFLAGS_asan    := $(SAN)
LDFLAGS_fuzz    := $(SAN)
ALL_CFLAGS  = -std=gnu11 $(WARN) $(if $(WERROR),-Werror) \
	$(CFLAGS_$(MODE)) $(CFLAGS)
ALL_LDFLAGS = $(LDFLAGS_$(MODE)) $(LDFLAGS)
# --as-needed: a program is linked only with the libraries it uses.
LIBS := -Wl,--as-needed $(shell pkg-config --libs $(PKGS) 2>/dev/null) \
	-lunistring -lresolv

LIB_SRC  := $(sort $(wildcard lib/*/*.c))
CMD_ONE  := $(sort $(wildcard cmd/*.c))
CMD_DIR  := $(patsubst %/,%,$(sort $(dir $(wildcard cmd/*/*.c))))
CMD_SH   := $(sort $(wildcard cmd/*.sh))
PROGS    := $(CMD_ONE:cmd/%.c=%) $(CMD_DIR:cmd/%=%)
UNIT_SRC := $(sort $(wildcard t/unit/*.c))
FUZZ_SRC := $(sort $(wildcard t/fuzz/*.c))
TOOL_SRC := $(sort $(wildcard t/tools/*.c))

LIB_OBJ  := $(LIB_SRC:%.c=$O/%.o)
BINS     := $(PROGS:%=$O/bin/%)
SCRIPTS  := $(CMD_SH:cmd/%.sh=$O/bin/%)
UNITS    := $(UNIT_SRC:%.c=$O/%.t)
TOOLS    := $(TOOL_SRC:t/tools/%.c=$O/tools/%)
FUZZERS  := $(FUZZ_SRC:t/fuzz/%.c=$O/fuzz/%)

TESTS_FAST   = $(UNITS) $(sort $(wildcard t/prog/*.t t/abuse/*.t))
TESTS_SYSTEM = $(sort $(wildcard t/system/*.t))

.PHONY: all test test-fast asan fuzz fuzzers lint bench install localserve \
	clean deps deps-test progs units

all: progs
progs: $(BINS) $(SCRIPTS)
units: progs $(UNITS) $(TOOLS)

$O/%.o: %.c
	@mkdir -p $(@D)
	$(call say,cc)
	$Q$(CC) $(CPPFLAGS) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

$O/libpneu.a: $(LIB_OBJ)
	@rm -f $@
	$(call say,ar)
	$Qar rcs $@ $(LIB_OBJ)

define one_program
$O/bin/$(1): $O/cmd/$(1).o $O/libpneu.a
endef
define dir_program
$O/bin/$(1): $(patsubst %.c,$O/%.o,$(sort $(wildcard cmd/$(1)/*.c))) $O/libpneu.a
endef
$(foreach p,$(CMD_ONE:cmd/%.c=%),$(eval $(call one_program,$(p))))
$(foreach p,$(CMD_DIR:cmd/%=%),$(eval $(call dir_program,$(p))))
$(BINS):
	@mkdir -p $(@D)
	$(call say,ld)
	$Q$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $^ $(LIBS)

$O/bin/%: cmd/%.sh
	@mkdir -p $(@D)
	$Qinstall -m 755 $< $@

# Other names of the same programs.
NAMES := $O/bin/sendmail $O/bin/dmarc-lookup $O/bin/spf-lookup \
	$O/bin/dkim-lookup $O/bin/dkim-txt
progs: $(NAMES)
$O/bin/sendmail: $(wildcard $O/bin/mail-submit) | $(BINS)
	@ln -sf mail-submit $@
$O/bin/dmarc-lookup: $(wildcard $O/bin/dmarc-eval) | $(BINS)
	@ln -sf dmarc-eval $@
$O/bin/dkim-lookup $O/bin/dkim-txt: $(wildcard $O/bin/dkim-record) | $(BINS)
	@ln -sf dkim-record $@
$O/bin/spf-lookup: $(wildcard $O/bin/spf-parse) | $(BINS)
	@ln -sf spf-parse $@

$O/t/unit/%.t: $O/t/unit/%.o $O/libpneu.a
	$(call say,ld)
	$Q$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $^ $(LIBS)
$O/tools/%: $O/t/tools/%.o $O/libpneu.a
	@mkdir -p $(@D)
	$(call say,ld)
	$Q$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $^ $(LIBS)
$O/fuzz/%: $O/t/fuzz/%.o $O/libpneu.a
	@mkdir -p $(@D)
	$(call say,ld)
	$Q$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -fsanitize=fuzzer -o $@ $^ $(LIBS)
.PRECIOUS: $O/%.o
.SECONDARY:

deps:
	@conf/install-packages build run
deps-test:
	@conf/install-packages build run test

# The package lists are installed first, so that pkg-config is there when the
# second make reads this file again.
# Leaks are looked for by the fuzz targets, which call the same functions a
# million times; a program that ends gives its memory back.
ifeq ($(MODE),asan)
export ASAN_OPTIONS := detect_leaks=0:allocator_may_return_null=1
export UBSAN_OPTIONS := print_stacktrace=1
endif

test: deps-test
	@$(MAKE) --no-print-directory -j$(JOBS) units
	@$(MAKE) --no-print-directory prove-all
test-fast: units
	PNEU_BIN=$(CURDIR)/$O/bin PNEU_TOOLS=$(CURDIR)/$O/tools \
	    t/run-tests $$(($(JOBS) * 3)) $(TESTS_FAST) # they mostly wait
.PHONY: prove-all
prove-all:
	PNEU_BIN=$(CURDIR)/$O/bin PNEU_TOOLS=$(CURDIR)/$O/tools \
	    t/run-tests $(JOBS) $(TESTS_FAST) $(TESTS_SYSTEM)

asan: deps-test
	@$(MAKE) --no-print-directory MODE=asan -j$(JOBS) units
	@$(MAKE) --no-print-directory MODE=asan prove-all

fuzz: deps-test
	@$(MAKE) --no-print-directory MODE=fuzz CC=clang -j$(JOBS) fuzzers
	@t/fuzz/run obj/fuzz/fuzz $(FUZZ_SECONDS)
fuzzers: $(FUZZERS)

lint: deps-test
	@t/lint

bench: deps-test
	@$(MAKE) --no-print-directory -j$(JOBS) units
	@t/bench/run

localserve: deps
	@$(MAKE) --no-print-directory -j$(JOBS) all
	@exec $(CURDIR)/$O/bin/pneu localserve

install: all
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/sbin \
	    $(DESTDIR)$(PREFIX)/share/pneu
	install -m 755 $(BINS) $(SCRIPTS) $(DESTDIR)$(PREFIX)/bin
	ln -sf ../bin/mail-submit $(DESTDIR)$(PREFIX)/sbin/sendmail
	ln -sf dmarc-eval $(DESTDIR)$(PREFIX)/bin/dmarc-lookup
	ln -sf dkim-record $(DESTDIR)$(PREFIX)/bin/dkim-lookup
	ln -sf dkim-record $(DESTDIR)$(PREFIX)/bin/dkim-txt
	ln -sf spf-parse $(DESTDIR)$(PREFIX)/bin/spf-lookup
	cp -R sv conf $(DESTDIR)$(PREFIX)/share/pneu/
	for s in 1 5 7 8; do \
		install -d $(DESTDIR)$(PREFIX)/share/man/man$$s; \
		for m in man/*.$$s; do [ ! -e $$m ] || \
		    install -m 644 $$m $(DESTDIR)$(PREFIX)/share/man/man$$s; done; \
	done

clean:
	rm -rf obj

-include $(shell find $O -name '*.d' 2>/dev/null)
