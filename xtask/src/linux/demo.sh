#!/bin/sh
# What `cargo xtask linux --demo` runs: programs of both widths at work at once. /bin32 and /bin64 are Debian's busybox, i386 and amd64.

say() {
    echo
    echo "--- $*"
}

# Shows a command, and runs it.
try() {
    echo "\$ $*"
    eval "$*"
}

# Waits until so many processes have this command.
until_there() {
    while [ "$(awk -v name="$2" '$14 == name { n++ } END { print n + 0 }' /proc/lilliput)" -lt "$1" ]; do
        sleep 0.1
    done
}

say "One pipe of both widths: 32-bit programs in slots of the server's arena, 64-bit ones with page tables of their own"
try '/bin32/seq 12 | /bin64/awk "{ print \$1 * \$1 }" | /bin32/sort -rn | /bin64/head -n 3'
try 'echo "$(/bin64/sha256sum < /bin32/busybox | /bin32/cut -c 1-16)" is what both say: "$(/bin32/sha256sum < /bin32/busybox | /bin64/cut -c 1-16)"'

say "A 64-bit server and 32-bit clients, by sockets"
/bin64/httpd -p 127.0.0.1:8080 -h /data
for file in sub/f1 sub/f2; do
    try "/bin32/wget -q -O - http://127.0.0.1:8080/$file | /bin32/md5sum"
done

say "All at once: two that compute, two in a pipe, and the server. See where each is, how it is confined, and what it did"
/bin32/sh -c 'i=0; while :; do i=$((i + 1)); done' &
narrow=$!
/bin64/sh -c 'i=0; while :; do i=$((i + 1)); done' &
wide=$!
/bin32/sleep 100 | /bin64/cat &
until_there 1 /bin32/sleep
until_there 1 /bin64/cat
sleep 1
try cat /proc/lilliput

say "More 32-bit processes than fit 4 GiB: the server takes further arenas"
i=0
while [ $i -lt 64 ]; do
    /bin32/sleep 101 &
    i=$((i + 1))
done
until_there 65 /bin32/sleep
awk '$7 == "small" { split($8, place, ":"); n[place[1]]++ }
    END { for (arena = 0; arena in n; arena++) print "arena", arena ":", n[arena], "small tasks" }' /proc/lilliput

say "They all end, and what they had is free again"
kill $narrow $wide
/bin64/killall sleep httpd
wait
echo "$(awk '$7 == "small" { n++ } END { print n }' /proc/lilliput) small tasks are left: this shell and who counts"
