# Everything: the shell, the tools, the tests, a jar, data files, on a disk with a ROFS root.
summary = the shell, tools, tests, a jar and data files on a ROFS disk
modules += uush tools selftest data hello
goals = loader.img usr.img
boot-image = usr.img
cmdline = --rootfs=$(fs) /tools/uush.so -c "cat /etc/motd"
# What is linked into the kernel, and what goes to the root of the disk.
bootfs-manifests = manifests/bootfs.manifest.skel
usr-manifests = manifests/usr.manifest.skel manifests/uush.manifest.skel
