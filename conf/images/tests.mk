# Runs the self-tests in the booted kernel and powers off; `gantry check` reads what they print.
summary = the self-tests, on a ROFS disk
modules += uush selftest data
goals = loader.img usr.img
boot-image = usr.img
cmdline = --rootfs=$(fs) /tests/selftest.so
bootfs-manifests = manifests/bootfs.manifest.skel
usr-manifests = manifests/usr.manifest.skel manifests/uush.manifest.skel
