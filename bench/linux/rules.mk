# SPDX-License-Identifier: MIT
# `make linux-programs`: the measured 32-bit Linux programs, bench/linux/NAME.c -> build/linux/NAME. They need no libc and so
# no package beyond gcc.

LINUX_PROGRAMS := $(patsubst bench/linux/%.c,build/linux/%,$(filter-out %/program.c,$(wildcard bench/linux/*.c)))
LINUX_CFLAGS := -m32 -march=i686 -O2 -std=gnu11 -ffreestanding -fno-pic -fno-stack-protector -fcf-protection=none -fno-tree-loop-distribute-patterns \
	-Wall -Wextra -static -nostdlib -no-pie -Wl,--build-id=none

build/linux/%: bench/linux/%.c bench/linux/program.c bench/linux/program.h
	@mkdir -p $(@D)
	$(CC) $(LINUX_CFLAGS) -o $@ $(filter %.c,$^)

linux-programs: $(LINUX_PROGRAMS)
