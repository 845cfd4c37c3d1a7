/**
 * What a copy runs inside the job, as the job's user in the job's root: no path, link or archive can lead it anywhere that the job could not
 * go by itself. Both speak on descriptor 3, a word and a text a line.
 */

/** `$1` path → `entry file <mode>` or `entry folder`, then the bytes on standard output. */
export const downloadScript = `
p=$1
unreadable() { echo "refused $1 cannot be read by the job itself: see its mode and owner." >&3; exit 1; }
if [ -d "$p" ]; then
  cd -- "$p" 2>/dev/null || unreadable "$p"
  # Asked first: once bytes are on their way, nothing but a broken connection could tell. Where find knows no -readable, tar tells.
  bad=$(find . '(' ! -type l ! -readable -o -type d ! -executable ')' -prune -print 2>/dev/null | head -n 1)
  [ -z "$bad" ] || unreadable "$bad"
  echo 'entry folder' >&3
  exec tar -cf - . 3>&-
elif [ -f "$p" ]; then
  [ -r "$p" ] || unreadable "$p"
  exec 9< "$p" || exit 1
  if [ -x "$p" ]; then echo 'entry file 755' >&3; else echo 'entry file 644' >&3; fi
  exec cat 0<&9 3>&- 9<&-
elif [ -e "$p" ] || [ -L "$p" ]; then
  echo 'refused It is neither a file nor a folder, or a link that leads nowhere.' >&3
else
  echo 'missing' >&3
fi
exit 1
`;

/**
 * `$1` path, `$2` name, `$3` channel, `$4` file or folder, `$5` mode → `ready`, takes the bytes from standard input, answers `taken`, and
 * waits for `commit`; end of file instead means that the copy is given up. Everything is gathered beside the target first.
 *
 * A new target appears by one rename. Into a folder that exists, files are put one by one, each by one rename of its own.
 */
export const uploadScript = `
p=$1 name=$2 kind=$4
target=$p
case $p in */) slash=yes ;; *) slash= ;; esac
if [ -d "$p" ]; then
  if [ -n "$name" ]; then target=\${p%/}/$name; fi
elif [ -n "$slash" ]; then
  echo 'missing' >&3; exit 1
fi
parent=$(dirname -- "$target")
[ -d "$parent" ] || { echo 'missing' >&3; exit 1; }
if [ -d "$target" ]; then
  [ "$kind" = folder ] || { echo 'exists A folder has that name.' >&3; exit 1; }
elif [ "$kind" = folder ] && [ -e "$target" ]; then
  echo 'exists A file has that name.' >&3; exit 1
fi
tmp=\${parent%/}/.solyx-copy-$3
umask 077
mkdir -- "$tmp" || exit 1
# What ends us must not end the cleaning up.
trap 'trap "" HUP TERM INT; rm -rf -- "$tmp"' EXIT
trap 'exit 1' HUP TERM INT
trap '' PIPE
echo ready >&3
umask 022
if [ "$kind" = folder ]; then
  mkdir "$tmp/data" && tar -xf - -C "$tmp/data" || exit 1
  # A tar of root keeps what lets others run it as root.
  chmod -R ug-s,a-t "$tmp/data" 2>/dev/null
else
  cat > "$tmp/data" && chmod "$5" "$tmp/data" || exit 1
fi
echo taken >&3
read -r word <&3 && [ "$word" = commit ] || exit 1
if [ -d "$target" ]; then
  cp -alf -- "$tmp/data/." "$target/" 2>/dev/null || cp -af -- "$tmp/data/." "$target/" || exit 1
else
  mv -f -- "$tmp/data" "$target" || exit 1
fi
echo "done $target" >&3
`;
