# SPDX-License-Identifier: MIT
# `make help` lists the targets. Everything that is built goes to build/, but for ./emu.

ROOT := $(patsubst %/,%,$(dir $(abspath $(lastword $(MAKEFILE_LIST)))))
ifneq ($(CURDIR),$(ROOT))
$(error run make in $(ROOT), or with `make -C $(ROOT)`)
endif

ifeq ($(SAN),thread)
B := build/tsan
SANFLAGS := -fsanitize=thread -fno-omit-frame-pointer -Wno-tsan
EMU := $(B)/emu
else ifdef SAN
B := build/san
SANFLAGS := -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
EMU := $(B)/emu
else
B := build
EMU := emu
endif

CC ?= gcc
CFLAGS ?= -O2 -g
override CFLAGS += -std=gnu11 -Wall -Wextra -Wno-unused-parameter -Wno-missing-field-initializers -fno-strict-aliasing -D_GNU_SOURCE -Isrc -MMD -MP $(SANFLAGS)
LDLIBS := -lcapstone -ledit -ljansson -lpng -lz -lpthread -lm

DEVICE_ROOMS := block chipset disk display e1000 igb input interrupt iommu net pci serial time vfio vhost virtio
ROOMS := base mmu cpu devices $(DEVICE_ROOMS:%=devices/%) machine bt paravirt paravirt/store paravirt/backend hwassist hwassist/vmx hwassist/kvm hwassist/host console cli cli/options cli/report cli/bench cli/grade
SRC := $(foreach r,$(ROOMS),$(wildcard src/$(r)/*.c))
OBJ := $(SRC:%.c=$(B)/%.o)
LIB := $(B)/libemu.a

TESTS := $(patsubst tests/%.c,$(B)/tests/%,$(wildcard tests/test_*.c))
BENCHES := $(patsubst bench/%.c,$(B)/bench/%,$(wildcard bench/*.c))
TEST_SUPPORT := $(B)/tests/check.o $(B)/tests/progen.o $(B)/tests/progen_world.o $(B)/tests/lockstep.o $(B)/tests/pvfixture.o $(B)/tests/pvfront.o $(B)/tests/pvstore.o $(B)/tests/vfio_standin.o
TOOLS := $(patsubst %.c,$(B)/%,$(wildcard tools/*.c))

.PHONY: all demo check soak bench docs book man guests clean help setup tests linux-programs
.SECONDARY:

all: $(EMU) guests
	@echo "Built. Next: ./emu compare guests/nano   (or: make check)"

setup:
	@tools/setup

demo: setup
	@$(MAKE) --no-print-directory -s $(EMU) guests
	./$(EMU) compare guests/nano

# From a fresh clone to a student's directory and its first marks: make lab1 (DIR=PLACE: elsewhere than in my-lab1). What is there already stays.
LABS := $(notdir $(wildcard labs/lab[0-9]*))
.PHONY: $(LABS)
$(LABS): DIR ?= my-$@
$(LABS): setup
	@$(MAKE) --no-print-directory -s $(EMU) guests
	@test -e $(DIR) || tools/lab-starter labs/$@ $(DIR)
	@./$(EMU) grade -visible labs/$@ $(DIR) || test $$? = 1
	@echo "Read $(DIR)/handout.md, write, and then again: make $@   (or: ./$(EMU) grade -visible labs/$@ $(DIR))"

check: setup
	@$(MAKE) --no-print-directory $(EMU) tests guests
	@tests/run $(B)

tests: $(TESTS) $(TOOLS)

# The pages and blocks of the documents that the program itself prints.
docs: $(EMU) guests $(TOOLS)
	@tools/update-docs $(B)

# The documents as HTML, in build/book.
book:
	@tools/make-book

# The manual page: man build/emu.1
man: $(B)/emu.1

$(B)/emu.1: docs/manual.md
	@mkdir -p $(@D)
	@{ echo '.TH EMU 1'; sed '1d; /^<!-- /d; s/^## \(.*\)/# \U\1/' $< | cmark-gfm -t man; } >$@

soak: setup
	@$(MAKE) --no-print-directory $(EMU) tests guests
	@EMU_SOAK=1 EMU_TEST_TIMEOUT=7200 tests/run $(B)

bench: $(EMU) $(BENCHES) linux-programs
	@bench/run $(B)

$(EMU): $(B)/src/main.o $(LIB)
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)

$(LIB): $(OBJ)
	@rm -f $@
	ar rcs $@ $^

$(B)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -c -o $@ $<

$(B)/tests/%: $(B)/tests/%.o $(TEST_SUPPORT) $(LIB)
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ -lcunit $(LDLIBS)

$(B)/tools/%: $(B)/tools/%.o $(LIB)
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)

$(B)/bench/%: $(B)/bench/%.o $(TEST_SUPPORT) $(LIB)
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ -lcunit $(LDLIBS)

-include guests/rules.mk
include bench/linux/rules.mk

clean:
	rm -rf build emu

help:
	@echo "make          build ./emu and the guests"
	@echo "make setup    install the packages that are missing, no more"
	@echo "make demo     install what is missing, build, run ./emu compare guests/nano"
	@echo "make lab1     a student's directory my-lab1, and its marks (each lab has one such)"
	@echo "make check    install what is missing, build, run all tests (SAN=1: with sanitizers; SAN=thread: for races)"
	@echo "make soak     the same with what takes minutes"
	@echo "make bench    speed, against the bars"
	@echo "make docs     write anew what the documents show of the program"
	@echo "make book     the documents as HTML, in build/book"
	@echo "make man      the manual page, build/emu.1"
	@echo "make clean    remove what was built"

-include $(OBJ:.o=.d) $(B)/src/main.d $(TESTS:=.d) $(BENCHES:=.d) $(TOOLS:=.d) $(TEST_SUPPORT:.o=.d)
