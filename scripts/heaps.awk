# Deals sources to heaps, first fit, so that no two of a heap define the same name in an unnamed namespace: "heap source".
function deal(   h, fits, n) {
  if (file == "") return
  for (h = 0; ; ++h) {
    fits = 1
    for (n in names) if ((h, n) in taken) { fits = 0; break }
    if (fits) break
  }
  for (n in names) taken[h, n] = 1
  print h, file
}
FNR == 1 { deal(); file = FILENAME; split("", names); inside = 0 }
/^namespace \{/ { inside = 1; next }
/^}  \/\/ namespace$/ { inside = 0 }
!inside || !/^[A-Za-z_]/ || /^(template|using namespace|namespace|TEST|INSTANTIATE|TYPED|public|private|protected|static_assert)/ { next }
{
  line = $0
  if (match(line, /^(struct|class|enum class|enum|using|union) [A-Za-z_0-9]+/)) {
    line = substr(line, RSTART, RLENGTH)
    sub(/.* /, "", line)
  } else {
    sub(/ *[=({;\[].*/, "", line)
    sub(/.*[^A-Za-z_0-9]/, "", line)
  }
  if (line != "") names[line] = 1
}
END { deal() }
