# Writes cases.json: which names each pattern matches, by Ruby's File.fnmatch with FNM_EXTGLOB, as Kamal matches hosts and roles.
# Run with any Ruby: ruby vectors/fnmatch/generate.rb
require "json"
pats = %w(* ? a a* *a *a* a?c [abc] [a-c]x [!a]x [^a]x [a x] a] {a,b} {a,b}* web{1,2} w{eb,orker}-? {a,{b,c}}d {a} {} a{b a}b \\* a\\*b \\{a,b} [\\]] [a\\-z] [-a] [a-] *.example.com 10.0.0.* 10.0.*.[12] web_* ** **/a a/** .* .a [.]a {.a,b} a{,b}c é* ? [é] web-[0-9] *-* [[:alpha:]] [z-a] a[] [] [!] !a ~ {a,b}{1,2} \\a a\\)
names = ["", "a", "b", "ab", "abc", "a*b", "axc", "ac", "bx", "dx", "x", "web", "web1", "web2", "web3", "worker-1", "web-1", "bd", "cd", "ad", "{a,b}", "{a", "a}b", "a{b", "*", "1.example.com", "example.com", ".example.com", "10.0.0.1", "10.0.1.2", "10.0.1.3", "web_a", "x/a", "a/b/c", ".a", "..", "é", "éa", "]", "-", "z", "m", "[a", "[", "a]", "a1", "b2", "[]", "!a", "\\a", "a\\", "a[]", "~"]
rows = pats.uniq.map { |pattern| [pattern, names.select { |name| File.fnmatch(pattern, name, File::FNM_EXTGLOB) }] }
File.write(File.join(__dir__, "cases.json"), "{\"names\": #{JSON.generate(names)},\n\"patterns\": [\n#{rows.map { |row| JSON.generate(row) }.join(",\n")}\n]}\n")
