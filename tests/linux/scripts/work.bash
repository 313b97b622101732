# What scripts do that bash alone can.
cd /tmp && rm -rf bwork && mkdir bwork && cd bwork || exit 1
shopt -s extglob nullglob
set -o pipefail
section() { echo "== $*"; }

section arrays
a=(zero one two "three four"); a+=(five); unset 'a[1]'
echo ${#a[@]} "${a[@]}" "${!a[@]}" "${a[-1]}" "${a[@]:1:2}"
declare -A m=([red]=1 [green]=2 [blue]=3); m[black]=0
for k in "${!m[@]}"; do echo "$k=${m[$k]}"; done | sort
mapfile -t lines < <(seq 1 5); echo "${lines[@]/#/n}" ${#lines[@]}
IFS=, read -ra parts <<<"a,b,,d"; echo ${#parts[@]} "${parts[3]}"
printf -v padded '%05d|%-6s|%x' 42 ab 255; echo "$padded"

section text
s="Hello, World"
echo "${s^^}" "${s,,}" "${s:7}" "${s: -5:3}" "${s/o/0}" "${s//o/0}" "${s@Q}"
[[ $s =~ ^([A-Z][a-z]+),\ (.*)$ ]] && echo "${BASH_REMATCH[1]}-${BASH_REMATCH[2]}"
[[ abc == a?c && abc < abd && ! -e /absent ]] && echo compared
echo {a..e}{1..3} {10..1..3} | md5sum
echo $'tab\there' "$(printf '\u00e9' | od -An -tx1)"
case abcabc in +(abc)) echo repeated;; esac

section arithmetic
for ((i = 0, s = 0; i < 100; i++)); do ((i % 7 == 0)) && continue; ((s += i ** 2)); done; echo $s
echo $((16#ff + 2#1010)) $((1 << 40)) $((-17 % 5)); let 'x = 5, x *= 3'; echo $x
primes=(); for ((n = 2; n < 200; n++)); do for p in "${primes[@]}"; do ((p * p > n)) && break; ((n % p)) || continue 2; done; primes+=($n); done; echo ${#primes[@]} ${primes[-1]}

section processes
diff <(seq 1 10) <(seq 1 10 | sed 's/5/five/'); echo $?
tee >(wc -l >count) < <(seq 1 50) | tail -n 1; while [ ! -s count ]; do sleep 0.05; done; cat count
paste <(seq 1 3) <(seq 4 6) <(seq 7 9) | tr '\t' +
coproc tr a-z A-Z; echo through a coprocess >&"${COPROC[1]}"; eval "exec ${COPROC[1]}>&-"; read -r line <&"${COPROC[0]}"; echo "$line"; wait
false | true | true; echo $? "${PIPESTATUS[@]}"
for n in {1..10}; do (sleep 0.0$((n % 3)); exit $n) & pids[n]=$!; done
t=0; for n in {1..10}; do wait "${pids[n]}"; ((t += $?)); done; echo $t
(exit 6) & wait -n $!; echo $?
(echo one; echo two >&2) |& sort -r
seq 1 20000 | while read -r n; do ((n % 5000)) || echo $n; done
read -t 0.1 -r nothing < <(sleep 0.5); echo $(($? > 128))
exec {file}>numbered; echo by number >&"$file"; exec {file}>&-; cat numbered
[ "$(ulimit -n)" -gt 0 ] && echo limited; umask 027; touch masked; stat -c %a masked

section traps
f() { trap 'echo return of $FUNCNAME' RETURN; echo in f; }; f; trap - RETURN
(set -e; trap 'echo error at last' ERR; true; false; echo never); echo $?
trap 'echo debug >/dev/null' DEBUG; :; trap - DEBUG
trap 'echo child' CHLD; (exit 0) & wait $!; trap - CHLD
bash_pid=$BASHPID; (trap 'echo usr2; exit 7' USR2; kill -USR2 $BASHPID; sleep 1); echo $? $((bash_pid == $$))
g() { local -n ref=$1; ref=changed; }; v=before; g v; echo $v
h() { caller 0 | awk '{ print $2 }'; }; h
printf '%s\n' "${BASH_VERSINFO[0]}" "$SHLVL" | head -n 1
getopts_test() { local OPTIND; while getopts ab:c o; do echo "$o ${OPTARG-}"; done; shift $((OPTIND - 1)); echo "rest $*"; }; getopts_test -a -b val -c x y
select_input() { select w in red green; do echo "chose $w"; break; done <<<2 2>/dev/null; }; select_input
printf '%s ' *; echo; printf '%(%Y)T\n' 86400
cd /; rm -rf /tmp/bwork; echo done
