# What stands for a tree of OSv (told by scripts/build) where neither the tree nor anybody else says
# otherwise: the defaults of its scripts/build and scripts/run.py. Read last, and weakest.
# Whatever begins with osv- is how the tree is driven.
image = $(if $(filter aarch64,$(arch)),uush,default)
fs = zfs
fs_size_mb = 512
export = none
export_dir = build/export
img_format = qcow2
launcher =

# QEMU loads the kernel of aarch64; its disk stands beside it, and has no arguments.
osv-beside = $(filter aarch64,$(arch) $(host_arch))
osv-layout = $(if $(osv-beside),beside,osv)
osv-manifests = usr.manifest
boot-image = $(if $(osv-beside),disk,usr).img

# Of each file system: the manifest of the bootfs, the skeleton of usr.manifest, /etc/fstab and what is
# added to it, the module that it needs, and what its image is packed as where that is another name.
osv-fs = zfs ext rofs rofs_with_zfs rofs_with_ext ramfs virtiofs
osv-bootfs-zfs = bootfs.manifest.skel
osv-bootfs-ext = bootfs_ext.manifest.skel
osv-bootfs-rofs = bootfs_empty.manifest.skel
osv-bootfs-rofs_with_zfs = $(osv-bootfs-rofs)
osv-bootfs-rofs_with_ext = $(osv-bootfs-rofs)
osv-bootfs-virtiofs = $(osv-bootfs-rofs)
osv-bootfs-ramfs = $(out)/usr.manifest
osv-usrskel-ext = usr_ext.manifest.skel
osv-usrskel-rofs = usr_rofs.manifest.skel
osv-usrskel-rofs_with_zfs = $(osv-usrskel-rofs)
osv-usrskel-rofs_with_ext = $(osv-usrskel-rofs)
osv-usrskel-virtiofs = $(osv-usrskel-rofs)
osv-usrskel-ramfs = usr_ramfs.manifest.skel
osv-fstab-zfs = static/etc/fstab
osv-fstab-ext = static/etc/fstab_ext
osv-fstab-rofs = static/etc/fstab_rofs
osv-fstab-rofs_with_zfs = $(osv-fstab-rofs)
osv-fstab-rofs_with_ext = $(osv-fstab-rofs)
osv-fstab-ramfs = static/etc/fstab
osv-mount-rofs_with_zfs = /dev/vblk0.2 /data      zfs       defaults 0 0
osv-mount-rofs_with_ext = /dev/vblk0.2 /data      ext       defaults 0 0
osv-module-ext = libext
# scripts/build leaves it to the user to name it; without it the kernel cannot mount the pool.
osv-module-rofs_with_zfs = $(if $(wildcard modules/zfs/module.py),zfs)
osv-module-rofs_with_ext = libext
osv-pack-virtiofs = ramfs

# The guest's machine, as scripts/run.py has it; but no port of the host is taken unasked.
qemu-machine-x64 = -machine pc -vga none -m 2048 -smp 4
qemu-machine-aarch64 = -machine virt,gic-version=$(qemu-gic) -cpu cortex-a57 -m 2048 -smp 4
qemu-machine = $(qemu-machine-$(arch))
qemu-gic = 3
# How the disk is attached, and of what kind the virtio devices are; a number of queues, where there is one.
qemu-bus = virtio
values-qemu-bus = virtio nvme scsi sata ide
qemu-virtio = transitional
values-qemu-virtio = transitional legacy modern
qemu-queues =
osv-comma = ,
osv-virtio-legacy = ,disable-legacy=off,disable-modern=on
osv-virtio-modern = ,disable-legacy=on,disable-modern=off
osv-virtio = $(osv-virtio-$(qemu-virtio))
osv-queues = $(if $(qemu-queues),$(osv-comma)num-queues=$(qemu-queues))
osv-drive = -drive file=%(disk),format=%(format),if=none,id=hd0,cache=unsafe
osv-disk-virtio = $(osv-drive) -device virtio-blk-pci,drive=hd0$(osv-virtio)$(osv-queues)
osv-disk-nvme = $(osv-drive) -device nvme,serial=gantry,drive=hd0
osv-disk-scsi = -device virtio-scsi-pci,id=scsi0$(osv-virtio) $(osv-drive)
osv-disk-scsi += -device scsi-hd,bus=scsi0.0,drive=hd0,scsi-id=1,lun=0
osv-disk-sata = $(if $(filter x64,$(arch)),-machine q35) $(osv-drive) -device ide-hd,drive=hd0,bus=ide.0
osv-disk-ide = $(osv-drive) -device ide-hd,drive=hd0,bus=ide.0
qemu-kernel-disk = $(osv-disk-$(qemu-bus))
qemu-disk = $(qemu-kernel-disk),bootindex=0
qemu-more-disk = -drive file=%(disk),format=%(format),if=none,id=hd%(number),cache=unsafe
qemu-more-disk += -device virtio-blk-pci,drive=hd%(number)$(osv-virtio)
qemu-devices = -device virtio-rng-pci$(osv-virtio)
# Network cards: on QEMU's own network, on a bridge or on a tap of this machine.
qemu-nics = 1
qemu-card = virtio
values-qemu-card = virtio vmxnet3
qemu-mac =
qemu-bridge =
qemu-tap =
osv-card-virtio = virtio-net-pci
osv-card-vmxnet3 = vmxnet3
osv-net-user = user,id=un%(nic),net=192.168.122.0/24,host=192.168.122.1%(forwards)
osv-net-bridge = bridge,id=un%(nic),br=$(qemu-bridge)
osv-net-tap = tap,id=un%(nic),ifname=$(qemu-tap),script=no,downscript=no
osv-mac = $(if $(qemu-mac),$(osv-comma)mac=$(qemu-mac))
qemu-nic = -netdev $(osv-net-$(if $(qemu-tap),tap,$(if $(qemu-bridge),bridge,user)))
qemu-nic += -device $(osv-card-$(qemu-card)),netdev=un%(nic)$(osv-mac)$(if $(filter virtio,$(qemu-card)),$(osv-virtio))
# A directory of the host by virtio-fs: run --virtiofs=DIR.
virtiofsd = /usr/lib/qemu/virtiofsd --socket-path=%(socket) -o source=%(dir)
qemu-virtiofs = -chardev socket,id=char0,path=%(socket)
qemu-virtiofs += -device vhost-user-fs-pci,queue-size=1024,chardev=char0,tag=%(tag)
qemu-virtiofs += -object memory-backend-memfd,id=mem,size=%(memory)M,share=on -numa node,memdev=mem
# Booted by run --kernel: what QEMU loads in place of the disk's own loader.
qemu-kernel = $(out)/$(if $(osv-beside),loader.img,loader-stripped.elf)
# The crash addresses of a guest: the kernel's program, and where the first program of the image lies.
symbols = $(out)/loader.elf
symbols-base = 0x100000000000

# OSv powers off where its program does not start, and says why in its last line (loader.cc, core/app.cc,
# core/elf.cc). Programs speak behind the line that begins with Cmdline; what it does not take of its own
# options it says before.
osv-no-program = Failed to load object: .*|Failed looking up main|Failed to create the main thread, err=-?[0-9]+
osv-no-elf = can't read elf header: .*|bad elf (header|class|endianness|version)|bad os abi|missing tag
osv-no-type = bad executable type \(.*\)|executable too short .*|machine type for .* differs from the kernel
osv-no-symbol = symbol not found .*|symbol is not a function .*|Failed to preload ZFS library
osv-no-start = ($(osv-no-program)|$(osv-no-elf)|$(osv-no-type)|$(osv-no-symbol))\. Powering off\.$$
osv-no-command = Failed to parse command line|This image has an empty command line\. Nothing to run
guest-failed = $(osv-no-start)|^($(osv-no-command))\.$$
guest-begins = ^Cmdline:
# What check boots with: all of /tests but what scripts/test.py leaves out, too.
osv-check = --rootfs=$(fs) /testrunner.so -d tst-dns-resolver.so tst-dns-resolver tst-feexcept.so tst-feexcept
osv-no-value = option '--.*' does not take any arguments|the argument \('.*'\) for option '--
guest-refused = ^((unrecognized|not an|duplicate) option: |the required argument for option '--|$(osv-no-value))

# What its makefiles ask of this machine, and what brings it.
osv-cross = $(if $(filter aarch64,$(arch)),$(if $(filter aarch64,$(host_arch)),,1))
needs = CXX libgcc_eh.a $(if $(osv-cross),./build/downloaded_packages/aarch64/boost/install,boost/version.hpp)
needs += ./musl/include ./kbuild/Makefile.osv $(if $(filter x64,$(arch)),./external/x64/acpica/Makefile)
host-needs = make python3 git awk readelf bison flex
package-libgcc_eh.a = build-essential
package-boost/version.hpp = libboost-dev
install-./build/downloaded_packages/aarch64/boost/install = scripts/download_aarch64_packages.py
install-./musl/include = git submodule update --init --recursive
install-./kbuild/Makefile.osv = git submodule update --init --recursive
install-./external/x64/acpica/Makefile = git submodule update --init --recursive
package-make = make
package-git = git
package-bison = bison
package-flex = flex
