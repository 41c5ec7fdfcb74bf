# Only the shell, in RAM: what a new arch boots first. No disk, no PCI, no virtio.
summary = only the shell, from RAM; needs no block device
modules += uush
goals = loader.img
boot-image = loader.img
cmdline = --rootfs=ramfs /tools/uush.so -c "cat /etc/motd"
bootfs-manifests = manifests/bootfs.manifest.skel manifests/uush.manifest.skel
usr-manifests =
