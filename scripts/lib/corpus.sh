# The default corpus: the dictionary file of Debian's dict-gcide, taken out of the package, which would install a network
# daemon with it. One pinned version for Debian and Ubuntu (24.04 has no such package), so that runs compare.
corpus_deb=dict-gcide_0.48.5+nmu2_all.deb
corpus_sha256=7b0af5cfde3cbdef5e9d6e78f92ec335ced7c2790f37a40f49bebc6f7347ac0f
corpus_urls=("http://deb.debian.org/debian/pool/main/d/dict-gcide/$corpus_deb"
  "http://snapshot.debian.org/archive/debian/20250520T000000Z/pool/main/d/dict-gcide/$corpus_deb")

# download_corpus FOLDER
download_corpus() {
  local url
  for url in "${corpus_urls[@]}"; do
    fetch "$url" "$1/$corpus_deb" "$corpus_sha256" && return 0
  done
  fail "the corpus could not be fetched from ${corpus_urls[0]}: is there a network? --offline DIR works without"
}

install_corpus() {
  [ ! -f corpora/gcide.txt ] || return 0
  local folder=.deps/corpus
  rm -rf "$folder"
  mkdir -p "$folder"
  if [ -n "$offline" ]; then
    cp "$offline/$corpus_deb" "$folder/" 2>/dev/null || fail "$corpus_deb is not in $offline"
    echo "$corpus_sha256  $folder/$corpus_deb" | sha256sum --check --status || fail "$offline/$corpus_deb is damaged"
  else
    say "fetching the default corpus (15 MB)"
    download_corpus "$folder"
  fi
  dpkg-deb -x "$folder/$corpus_deb" "$folder" || fail "$corpus_deb could not be unpacked"
  gzip -dc <"$folder/usr/share/dictd/gcide.dict.dz" >corpora/gcide.txt.tmp || fail "the dictionary in $corpus_deb is not readable"
  mv corpora/gcide.txt.tmp corpora/gcide.txt
  rm -rf "$folder"
}
