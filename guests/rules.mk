# SPDX-License-Identifier: MIT
# `make guests`: each program guests/NAME/NAME.c is built once per implementation of guests/lib/kernel.h:
# build/guests/NAME.native.elf (multiboot) and build/guests/NAME.xen.elf (Xen PV). With -ffreestanding and
# without libc, 32-bit code needs no package beyond gcc.

# Kernels of their own, which use of guests/lib only print() and the linker script.
GUESTS_ALONE := smp
# Programs of several files that make sense on Xen only.
GUESTS_XEN := nullcall pair split
# Programs of several files: guests/NAME/*.c for both kinds, guests/NAME/KIND/*.c for one, and what they borrow from others.
GUESTS_PARTS := blkload netload
GUEST_BORROWS_xen := lib/domains/store lib/domains/share split/xenbus
GUEST_BORROWS_native := lib/pci/pci netload/native/virtio
# Kernels of several files with programs for ring 3: guests/NAME/*.c, NAME/KIND/*.c and, linked by itself and put into the image, NAME/user.
# What is linked first lies lowest: guests/lib/native maps 4 MiB, until a kernel has tables of its own.
GUESTS_SYSTEM := lmbench
GUEST_PROGRAMS := $(filter-out $(GUESTS_ALONE:%=guests/%) $(GUESTS_XEN:%=guests/%) $(GUESTS_PARTS:%=guests/%) $(GUESTS_SYSTEM:%=guests/%) guests/lib,$(patsubst %/,%,$(sort $(dir $(wildcard guests/*/*.c)))))
GUEST_NAMES := $(notdir $(GUEST_PROGRAMS))
GUEST_KINDS := native $(if $(wildcard guests/lib/xen/link.ld),xen)
GUEST_OUT := build/guests

# No -g: the images are the same bytes wherever they are built.
GUEST_CFLAGS := -m32 -march=i686 -O2 -std=gnu11 -ffreestanding -fno-pic -fno-pie -fno-stack-protector -fcf-protection=none \
	-fno-asynchronous-unwind-tables -mno-sse -mno-mmx -mno-80387 -Wall -Wextra -Wno-unused-parameter -Iguests/lib -MMD -MP
GUEST_LDFLAGS := -m32 -static -nostdlib -no-pie -Wl,--build-id=none -Wl,-z,noexecstack -Wl,--no-warn-rwx-segments

# $(call guest_objects,KIND): the implementation's objects
guest_lib = $(patsubst guests/%,$(GUEST_OUT)/$(1)/%.o,$(wildcard guests/lib/*.c guests/lib/$(1)/*.c guests/lib/$(1)/*.S))

define guest_kind
$(GUEST_OUT)/$(1)/%.o: guests/%
	@mkdir -p $$(@D)
	$$(CC) $$(GUEST_CFLAGS) -Iguests/lib/$(1) -c -o $$@ $$<
endef
$(foreach k,$(GUEST_KINDS),$(eval $(call guest_kind,$(k))))

define guest_image
$(GUEST_OUT)/$(1).$(2).elf: $(GUEST_OUT)/$(2)/$(1)/$(1).c.o $(call guest_lib,$(2)) guests/lib/$(2)/link.ld
	$$(CC) $$(GUEST_LDFLAGS) -Wl,-T,guests/lib/$(2)/link.ld -o $$@ $$(filter %.o,$$^)
GUEST_IMAGES += $(GUEST_OUT)/$(1).$(2).elf
endef
$(foreach n,$(GUEST_NAMES),$(foreach k,$(GUEST_KINDS),$(eval $(call guest_image,$(n),$(k)))))

define guest_alone
$(GUEST_OUT)/$(1).native.elf: $(GUEST_OUT)/native/$(1)/$(1).c.o $(GUEST_OUT)/native/$(1)/start.S.o $(GUEST_OUT)/native/lib/print.c.o guests/lib/native/link.ld
	$$(CC) $$(GUEST_LDFLAGS) -Wl,-T,guests/lib/native/link.ld -o $$@ $$(filter %.o,$$^)
GUEST_IMAGES += $(GUEST_OUT)/$(1).native.elf
endef
$(foreach n,$(GUESTS_ALONE),$(eval $(call guest_alone,$(n))))

define guest_xen
$(GUEST_OUT)/$(1).xen.elf: $(patsubst guests/%,$(GUEST_OUT)/xen/%.o,$(wildcard guests/$(1)/*.c guests/lib/domains/*.c)) $(call guest_lib,xen) guests/lib/xen/link.ld
	$$(CC) $$(GUEST_LDFLAGS) -Wl,-T,guests/lib/xen/link.ld -o $$@ $$(filter %.o,$$^)
GUEST_IMAGES += $(GUEST_OUT)/$(1).xen.elf
endef
$(foreach n,$(GUESTS_XEN),$(eval $(call guest_xen,$(n))))

define guest_parts
$(GUEST_OUT)/$(1).$(2).elf: $(sort $(patsubst guests/%,$(GUEST_OUT)/$(2)/%.o,$(wildcard guests/$(1)/*.c guests/$(1)/$(2)/*.c)) $(GUEST_BORROWS_$(2):%=$(GUEST_OUT)/$(2)/%.c.o)) $(call guest_lib,$(2)) guests/lib/$(2)/link.ld
	$$(CC) $$(GUEST_LDFLAGS) -Wl,-T,guests/lib/$(2)/link.ld -o $$@ $$(filter %.o,$$^)
GUEST_IMAGES += $(GUEST_OUT)/$(1).$(2).elf
endef
$(foreach n,$(GUESTS_PARTS),$(foreach k,$(GUEST_KINDS),$(eval $(call guest_parts,$(n),$(k)))))
define guest_user
$(GUEST_OUT)/user/%.o: guests/%
	@mkdir -p $$(@D)
	$$(CC) $$(GUEST_CFLAGS) -c -o $$@ $$<
$(GUEST_OUT)/$(1).user: $(patsubst guests/%,$(GUEST_OUT)/user/%.o,$(wildcard guests/$(1)/user/*.c)) guests/$(1)/user/link.ld
	$$(CC) $$(GUEST_LDFLAGS) -Wl,-T,guests/$(1)/user/link.ld -o $$@.elf $$(filter %.o,$$^)
	objcopy -O binary $$@.elf $$@
endef
define guest_system
$(GUEST_OUT)/$(2)/$(1)/%.o: GUEST_CFLAGS += -Iguests/$(1) -Iguests/$(1)/$(2) -DPROGRAM='"$(GUEST_OUT)/$(1).user"'
$(GUEST_OUT)/$(2)/$(1)/entry.S.o: $(GUEST_OUT)/$(1).user
$(GUEST_OUT)/$(1).$(2).elf: $(call guest_lib,$(2)) $(patsubst guests/%,$(GUEST_OUT)/$(2)/%.o,$(wildcard guests/$(1)/$(2)/*.c guests/$(1)/*.[cS])) guests/lib/$(2)/link.ld
	$$(CC) $$(GUEST_LDFLAGS) -Wl,-T,guests/lib/$(2)/link.ld -o $$@ $$(filter %.o,$$^)
GUEST_IMAGES += $(GUEST_OUT)/$(1).$(2).elf
endef
$(foreach n,$(GUESTS_SYSTEM),$(eval $(call guest_user,$(n)))$(foreach k,$(GUEST_KINDS),$(eval $(call guest_system,$(n),$(k)))))

guests: $(GUEST_IMAGES)

-include $(wildcard $(GUEST_OUT)/*/*/*.d $(GUEST_OUT)/*/*/*/*.d)
