# Drivers are portable; arch/<arch>/module.mk says which of them its machines need, and its
# arch_find_devices() starts them.
loader.elf: objects += $(arch-drivers:%=drivers/%.o)
