# The first process of prod-1. Runs in new mount, network, pid, uts and ipc namespaces; $1 is the
# directory that holds what is private to the host. It ends when its stdin closes, and the kernel
# then ends everything in the namespaces with it: nothing of the lab outlives the process that holds
# the other end, whatever kills that.
set -eu
mount --make-rprivate /
mount --bind "$1" /mnt
mount --bind /mnt/run /run
mount --bind /mnt/root /root
mount --bind /mnt/opt /opt
mount --bind /mnt/tmp /tmp
mount --bind /mnt/var-tmp /var/tmp
mount --bind /mnt/docker /var/lib/docker
mount --bind /mnt/ssh /etc/ssh
# A disk of its own for the data, small enough to be filled.
mount -t tmpfs -o size=64m,mode=755 data /opt/kamiyo/data
umount -l /mnt
mount -t proc proc /proc
hostname prod-1
ip link set lo up
cd /
echo ready
cat >/dev/null
