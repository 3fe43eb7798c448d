# Tautline: `make run` and `make test` are all that a newcomer needs.

PREFIX ?= /usr
DESTDIR ?=
SYSCONFDIR ?= /etc

BUILD_PACKAGES = libpcap-dev libsqlite3-dev libssl-dev pkg-config
TEST_PACKAGES = $(BUILD_PACKAGES) iproute2 iputils-ping nftables procps util-linux strace sqlite3 tcpdump openssl \
	shellcheck mandoc systemd valgrind zsh fish libcairo2
# What reads and times the same captures, for a comparison sample by sample.
COMPARE_PACKAGES = tcptrace tshark python3
BENCH_PACKAGES = $(BUILD_PACKAGES) valgrind time tcptrace argus-server util-linux iproute2

# Static: the programs run on a host without Swift. lld, because gold warns about a call in Foundation's own archive.
# No colours, because they are a compiler option: a build on a terminal and one in a pipe would each redo the other's.
RELEASE = swift build -c release --static-swift-stdlib --no-color-diagnostics -Xswiftc -use-ld=lld
# The engine alone, in a place of its own: a minute to build where the whole command takes several.
ENGINE = TAUTLINE_MODULES=tautbench $(RELEASE) --scratch-path .build-bench
RELEASE_DIR = $(shell $(RELEASE) --show-bin-path 2>/dev/null)

# Where Debian's shells look for completions.
BASH_COMPLETION = $(PREFIX)/share/bash-completion/completions/taut
ZSH_COMPLETION = $(PREFIX)/share/zsh/vendor-completions/_taut
FISH_COMPLETION = $(PREFIX)/share/fish/vendor_completions.d/taut.fish

.PHONY: help build run test fuzz lint demo bench bench-check bench-live compare-tcptrace install uninstall clean \
	packages test-packages

help:
	@echo "make run       install what is missing, build, start the daemon on this host and show the live table"
	@echo "make test      install what is missing and run every test"
	@echo "make fuzz      fuzz every parser and the flow table for SECONDS=30 each"
	@echo "make demo      the lab: a network of its own where one service degrades and one dies (root)"
	@echo "make build     both programs, release"
	@echo "make bench     taut analyze beside libpcap's empty loop, tcptrace and argus, on the same files"
	@echo "make install   DESTDIR= PREFIX=$(PREFIX): programs, unit, users, config, manual pages, completions"
	@echo "make lint      format, shell scripts, unit, manual pages"
	@echo "make clean     remove what was built, and .run"

packages:
	@scripts/install-packages.sh $(BUILD_PACKAGES)

test-packages:
	@scripts/install-packages.sh $(TEST_PACKAGES)

build: packages
	$(RELEASE) --product tautd
	$(RELEASE) --product taut

run: build
	@scripts/run.sh "$(RELEASE_DIR)"

demo: test-packages build
	$(RELEASE) --product tautlab
	@"$(RELEASE_DIR)/tautlab" demo

lint: test-packages
	@scripts/lint.sh

test: test-packages
	@scripts/test.sh

bench: build
	@scripts/install-packages.sh $(BENCH_PACKAGES)
	@Benchmarks/compare.sh "$(RELEASE_DIR)/taut"

# Exact figures against Benchmarks/thresholds; part of `make test`.
bench-check: test-packages
	$(ENGINE) --product tautbench
	@Benchmarks/check.sh "$$($(ENGINE) --show-bin-path 2>/dev/null)/tautbench"

# A veth pair, the highest rate without a drop, and shedding under overload (root).
bench-live: packages
	@scripts/install-packages.sh $(BENCH_PACKAGES)
	$(ENGINE) --product tautbench
	@Benchmarks/live.sh "$$($(ENGINE) --show-bin-path 2>/dev/null)/tautbench"

# Sample for sample against tcptrace: make compare-tcptrace FILES='one.pcap two.pcapng.gz' [TAUT=program]
TAUT ?= $(RELEASE_DIR)/taut
compare-tcptrace:
	@scripts/install-packages.sh $(COMPARE_PACKAGES)
	@test -n "$(FILES)" || { echo "usage: make compare-tcptrace FILES='FILE...' [TAUT=program]" >&2; exit 64; }
	@test -x "$(TAUT)" || { echo "$(TAUT): no such program; run make build first, or name one with TAUT=" >&2; exit 1; }
	@scripts/compare-tcptrace.py --taut "$(TAUT)" $(FILES)

SECONDS ?= 30
fuzz: packages
	@scripts/fuzz.sh $(SECONDS)

# Installs what `make build` made, so that `sudo make install` builds nothing as root.
install:
	@test -x "$(RELEASE_DIR)/tautd" -a -x "$(RELEASE_DIR)/taut" || { echo "run make build first" >&2; exit 1; }
	install -D -m 0755 "$(RELEASE_DIR)/tautd" "$(DESTDIR)$(PREFIX)/sbin/tautd"
	install -D -m 0755 "$(RELEASE_DIR)/taut" "$(DESTDIR)$(PREFIX)/bin/taut"
	@# Function names stay, so that the backtrace of a crash says something.
	strip --strip-debug "$(DESTDIR)$(PREFIX)/sbin/tautd" "$(DESTDIR)$(PREFIX)/bin/taut"
	install -d "$(DESTDIR)$(PREFIX)/lib/systemd/system"
	sed 's|/usr/sbin/tautd|$(PREFIX)/sbin/tautd|' systemd/tautd.service \
		>"$(DESTDIR)$(PREFIX)/lib/systemd/system/tautd.service"
	chmod 0644 "$(DESTDIR)$(PREFIX)/lib/systemd/system/tautd.service"
	install -D -m 0644 systemd/tautline.sysusers.conf "$(DESTDIR)$(PREFIX)/lib/sysusers.d/tautline.conf"
	install -D -m 0644 systemd/tautline.tmpfiles.conf "$(DESTDIR)$(PREFIX)/lib/tmpfiles.d/tautline.conf"
	install -d -m 0755 "$(DESTDIR)$(SYSCONFDIR)/tautline/conf.d" "$(DESTDIR)$(SYSCONFDIR)/tautline/hooks"
	install -m 0755 etc/hooks/* "$(DESTDIR)$(SYSCONFDIR)/tautline/hooks/"
	@# A config that is there is somebody's work.
	test -e "$(DESTDIR)$(SYSCONFDIR)/tautline/tautline.yaml" || \
		install -m 0640 etc/tautline.yaml "$(DESTDIR)$(SYSCONFDIR)/tautline/tautline.yaml"
	@for page in docs/man/*.[158]; do \
		install -D -m 0644 "$$page" "$(DESTDIR)$(PREFIX)/share/man/man$${page##*.}/$${page##*/}" || exit 1; \
	done
	@# A file that is there must not keep an old version of itself: written anew, and whole or not at all.
	@for shell in bash zsh fish; do \
		case $$shell in \
		bash) script=$(BASH_COMPLETION) ;; \
		zsh) script=$(ZSH_COMPLETION) ;; \
		fish) script=$(FISH_COMPLETION) ;; \
		esac; \
		install -d "$(DESTDIR)$$(dirname "$$script")" && \
			"$(RELEASE_DIR)/taut" --generate-completion-script $$shell >"$(DESTDIR)$$script.new" && \
			chmod 0644 "$(DESTDIR)$$script.new" && mv "$(DESTDIR)$$script.new" "$(DESTDIR)$$script" || exit 1; \
	done
	@test -n "$(DESTDIR)" || \
		echo "now: systemd-sysusers && systemd-tmpfiles --create && systemctl daemon-reload && systemctl enable --now tautd"

# Leaves config and state.
uninstall:
	rm -f "$(DESTDIR)$(PREFIX)/sbin/tautd" "$(DESTDIR)$(PREFIX)/bin/taut" \
		"$(DESTDIR)$(PREFIX)/lib/systemd/system/tautd.service" "$(DESTDIR)$(PREFIX)/lib/sysusers.d/tautline.conf" \
		"$(DESTDIR)$(PREFIX)/lib/tmpfiles.d/tautline.conf" "$(DESTDIR)$(BASH_COMPLETION)" \
		"$(DESTDIR)$(ZSH_COMPLETION)" "$(DESTDIR)$(FISH_COMPLETION)"
	@for page in docs/man/*.[158]; do \
		rm -f "$(DESTDIR)$(PREFIX)/share/man/man$${page##*.}/$${page##*/}"; \
	done

clean:
	rm -rf .build .run
