# What a shell script does in a day, for any POSIX shell.
set -u
section() { echo "== $*"; }
cd /tmp || exit 1
rm -rf work && mkdir work && cd work || exit 1

section arithmetic
i=0 sum=0
while [ $i -lt 500 ]; do
    i=$((i + 1))
    [ $((i % 3)) -eq 0 ] || [ $((i % 5)) -eq 0 ] || continue
    sum=$((sum + i * i - (i << 1) % 7))
done
echo $sum $((0x1f | 8)) $((-7 / 2)) $((7 > 3 && 2 < 1)) $((1 ? 10 : 20))

section functions
factorial() { [ "$1" -le 1 ] && echo 1 || echo $(($1 * $(factorial $(($1 - 1))))); }
factorial 12
hanoi() {
    [ "$1" -eq 0 ] && return
    hanoi $(($1 - 1)) "$2" "$4" "$3"
    moves=$((moves + 1))
    hanoi $(($1 - 1)) "$4" "$3" "$2"
}
moves=0
hanoi 8 a b c
echo $moves moves
outer() { local x=inner; inner; echo "x is $x"; }
inner() { x=changed; }
x=global; outer; echo "x is $x"

section words
set -- one "two three" 'four  five' "" six
echo $# "$2" "${5:-empty}" "${7:-default}" "${1%e}" "${1#o}" ${#3}
for word in "$@"; do printf '<%s>' "$word"; done; echo
shift 2; echo "$*"
IFS=:; set -- $(echo a:b::c); echo $#; unset IFS
path=/usr/local/share/file.tar.gz
echo "${path##*/}" "${path%/*}" "${path%%.*}" "${path#*.}"
case $path in *.zip) echo zip ;; *.tar.*) echo tar ;; esac

section documents
name=world
cat <<END
hello $name, $((6 * 7)), $(echo nested $(echo deep))
	tab stays, \$name too
END
cat <<-'END' | tr a-z A-Z
	tabs go, $name stays
	END
cat <<ONE; cat <<TWO
first
ONE
second
TWO

section files
for n in 1 2 3 4 5 6 7 8; do
    mkdir -p d$n/sub
    seq 1 $((n * 10)) >d$n/numbers
    head -c $((n * 100)) /data/bin >d$n/sub/bytes
    ln -s ../d$n/numbers d$n/sub/link
done
find . -type f | sort | xargs wc -c | tail -n 1
find . -name 'numbers' | sort | xargs -n 3 echo
find . -type l -exec readlink {} \; | sort | uniq -c | wc -l
find . -type f -size +1 -print0 | sort -z | xargs -0 md5sum | md5sum
ls -l d3 | awk '{ print $1, $5, $NF }'
du -a d1 | wc -l
chmod 751 d1/numbers && stat -c '%a %s %F' d1/numbers
mv d1 e1 && cp -r e1 f1 && diff -r e1 f1 && echo same
test -e d1 || echo moved
test d2 -nt e1 -o -d e1 && echo there

section pipelines
tr -cs 'a-zA-Z' '\n' </data/text | tr A-Z a-z | sort | uniq -c | sort -rn -k1,1 -k2 | head -n 8
seq 1 1000 | grep 7 | sed 's/7/seven/g' | awk '{ n += length($0) } END { print NR, n }' | tr ' ' ,
yes abc | head -n 5000 | cat -n | tail -n 1
seq 1 200 | awk '{ print $1 % 10, $1 }' | sort -n -k1,1 -k2,2r | cut -d' ' -f2 | head -n 25 | paste -sd+ - | bc
cat /data/nums | sort -n | sed -n '5p;$p'
false | true; echo $?
! true; echo $?

section archives
tar cf all.tar d2 d3 d4 && tar tf all.tar | sort | md5sum
tar cf - d2 d3 | gzip -9 | gunzip | tar xf - -C f1 && find f1 | sort | md5sum
gzip -c /data/text | wc -c
gzip -kf all.tar && gunzip -t all.tar.gz && echo whole
(cd d5 && find . | sort | cpio -o -H newc 2>/dev/null) | cpio -t 2>/dev/null | sort | head -n 3
sha256sum /data/bin | cut -c1-16; sha1sum </data/text

section sed and awk
sed -e '1,3d' -e 's/\([a-z]*\) \([a-z]*\)/\2 \1/' -e '/^$/d' -e '10q' /data/text | md5sum
seq 1 10 | sed -n 'H;${x;s/\n/,/g;p}'
seq 1 6 | sed 'N;s/\n/-/'
awk 'BEGIN { for (i = 0; i < 10; i++) a[i % 3] = a[i % 3] " " i; for (i = 0; i < 3; i++) print i ":" a[i] }'
awk '{ c[length($0) % 10]++ } END { for (i = 0; i < 10; i++) printf "%d=%d ", i, c[i]; print "" }' /data/text
echo "3 4" | awk '{ printf "%.3f %s %d\n", $1 * $2 / 7, substr("abcdef", $1, 2), index("hello", "l") }'
awk -F: '$3 == 0 { print $1; exit }' /etc/passwd
awk 'BEGIN { while (("seq 1 5" | getline line) > 0) s += line; print s; print "b\na" | "sort" }'

section processes
(exit 3); echo $?
(cd / && pwd); pwd
x=outside; (x=inside; echo $x); echo $x
{ echo grouped; echo twice >&2; } 2>&1 | sort
sleep 0.2 & p=$!; kill -0 $p && echo alive; wait $p; echo $?
(sleep 0.1; exit 5) & wait $!; echo $?
for n in 9 3 6; do (sleep 0.$n; echo job $n) & done; wait
sleep 30 & kill $!; wait $! 2>/dev/null; echo $?
{ sh -c 'kill -9 $$'; echo $?; } 2>/dev/null
true & true & wait; echo $?
timeout 1 sleep 5; echo $?
env -i A=b sh -c 'echo $A ${HOME-none}'
echo "echo from stdin; exit 4" | sh; echo $?

section traps
trap 'echo usr1' USR1; kill -USR1 $$; echo after
trap 'echo leaving' EXIT
(trap 'echo sub' EXIT; echo in it)
sh -c 'trap "echo int; exit 9" INT; kill -INT $$; echo never'; echo $?
trap '' TERM; sh -c 'kill -TERM $$; echo ignored'; trap - TERM
(trap 'echo pipe' PIPE; yes 2>/dev/null | head -n 1)

section redirections
exec 3>three 4>&1; echo to three >&3; echo to four >&4; exec 3>&- 4>&-; cat three
echo a >log; echo b >>log; cat <log >copy 2>/dev/null; cat copy
cat absent 2>/dev/null || echo failed
{ echo out; echo err >&2; } >both 2>&1; cat both
while read -r a b; do echo "$b-$a"; done <<END
1 one
2 two words
END
mkfifo tube; (seq 1 1000 >tube) & awk '{ s += $1 } END { print s }' tube; wait
set +e; eval 'echo evaluated $((1 + 1))'; . /dev/null; command -v cat >/dev/null && echo found
cd / && rm -rf /tmp/work; ls /tmp | grep -c work
