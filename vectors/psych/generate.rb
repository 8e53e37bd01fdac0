# Writes cases.json: what Ruby's Psych reads from each text, and how it writes that value again.
# Run with any Ruby >= 3.1: ruby vectors/psych/generate.rb
require "json"
require "yaml"
require "date"
require "time"

SCALARS = %w[
  ~ null NULL Null nULL nil none
  true false True FALSE tRuE yes no YES No on off ON Off y n Y N t f
  0 1 -1 +1 007 0600 0755 08 09 0_7 0,7 0o600 0O17 00 000 +010 -010 018 0189 0b101 0b 0b_1 -0b11 0b12 0x1F 0xff 0XFF -0x10 0xg
  40_000_000 1,000 1,00 1_0 1__0 1_ _1 1, 1,,0 1_000,000 12345678901234567890 -9223372036854775808 9223372036854775808
  0x8000000000000000 07777777777777777777777 123456789012345678901234567890123456789012345
  1.5 1. .5 -.5 +.5 1.50 0.10 1.10 00.5 1_0.5 1,000.5 1.5.2 1.2.3 1.0e+3 1.0e-3 1.e+3 1.0E+10 1e3 1e+3 1.0e10 9e9 .e1 1.5e+400 12.0e-20
  .inf .Inf .INF +.inf -.inf .nan .NaN .NAN inf nan . .. ... +. -. - -- + 5. 5.0 100.0 1234567.125 0.00001 0.0001 123456789012345680.0
  12:30 22:22 2222:22 80:80 3306:3306 12:30:45 1:2 1:02 01:02 0:0 00:00 -1:30 +1:30 1_0:30 12:60 12:59:59 12:59:60 1:2:3:4 12:30.5 1:2:3.25 12:30:
  190:20:30 190:20:30.15 20:03:20 5:5 65535:59 8080:80 443:8443
  2024-01-01 2024-1-1 2024-02-30 2023-02-29 2024-02-29 1900-02-29 2000-02-29 2024-13-01 2024-00-10 24-01-01 2024-01 20240101 0000-01-01 2024-10-32 2024-10-00
  2024-01-01T10:00:00Z 2024-01-01t10:00:00 2024-01-01T10:00:00.5Z 2024-01-01T10:00:00+02:00 2024-01-01T10:00:00-0530 2024-01-01T10:00:00+2
  2024-01-01T25:00:00Z 2024-01-01T24:00:00Z 2024-01-01T10:60:00Z 2024-13-01T10:00:00Z 2024-02-30T10:00:00Z 2024-01-01T1:00:00Z 2024-01-01T10:00 -2024-01-01T10:00:00Z
  :sym :a-b ::1 :: : :1 :"a" :'a' :"a"b :"" :":a" :true :a:b a: :a?
  :80:80 a:b a:80 http://x.y/z?q=1&b=2 redis://h:6379/0 10.0.0.1 10.0.0.1:80 2001:db8::1 fe80::1 1.2.3.4/24 ::ffff
  100m 25% 1/2 512m 1g 1G 2GB 10s 5m 1h 1d 30d v1 1v 1a a1 1-2 1-a a-1 -a --a -1a +a +-1 =
  << <<: <=> <a> a<b a>b $A ${A} $(a) a$b ~/x ~a ./a ../a /a /a:/b /a:/b:ro .a a.b a_b _a _ __ 1_a
  # a#b a\ #b é über ñandú 日本 🚀 a\u00a0b naïve É:1 ¿q ´x
  a=b a==b a+b (a) a(b) a;b a|b a^b a\\b a/b \\a a! a@b user@host a,b a*b a&b a%b
  abcdef ABCDEF yesno onoff truee falsey nully noff offf toff
  'a' "a" 'it''s' "a\nb" "a\tb" "a\\b" "\u00e9" "\x41" "\e" 'a\nb' "1" '1' "true" '' "" "~" ':a' ":a" "2024-01-01" '12:30' "a#b" '0600'
].concat([
  "a b", "a  b", "1 2", "true false", "yes please", "on off", "a # c", "a#c d", "1 # c", ":a b", "- a", "1 000", "0x1F 1", "2024-01-01 10:00:00", "2024-01-01 10:00:00 Z",
  "2024-01-01 10:00:00 +02:00", "2024-01-01  10:00:00.123 -5", "2024-01-01 10:00:00 +2:00", "2024-01-01 10:00", "2024-01-01 10:00:00 UTC",
  "!!str 1", "!!str", "!!str true", "!!int 1", "!!int '12'", "!!int \"0600\"", "!!float 1", "!!float 1.5", "!!float '2'", "!!bool yes", "!!null ''", "!!null x",
  "! 12", "! '12'", "! a", "!foo 12", "!foo '12'", "!str 12", "!ruby/symbol a", "!ruby/sym 1", "!local a",
  "{}", "[]", "{a: 1}", "[1, two, 3.0]", "[a b, 'c']", "[80:80, 12:30]", "{a: {b: [c]}}", "{a, b: 1}", "[a: 1]", "[a: 1, b: 2]", "[{a: 1}, b]", "{a: , b: }", "[a, ]", "[, ]", "[a,, b]",
  "{\"a\":1}", "{\"a\": 1, 'b': 2}", "{a:1}", "[a:b]", "{http://x: 1}", "[http://x, y]", "['a','b']", "[\"a\", \"b\"]", "[ ]", "[[1], [2]]", "[1,2]", "{a: b: c}", "[:a, :b]", "[*x]",
  "@a", "`a`", "%a", "&a b", "*a", "|", ">", "!", "?", "? a", "-", "- - a", "'a", "\"a", "a'b", "a\"b", "'a' b", "\"a\" b", "{a", "[a", "a]", "a}", "a: b", "a:  b", "a :b", "a : b",
  "\"\\q\"", "\"a\\\n    b\"", "'a\n\n    b'", "a\n    b", "a\n\n    b", "|\n    a\n    b", "|-\n    a\n    b", "|+\n    a\n\n", ">\n    a\n    b\n\n    c", ">-\n    a\n    b", "|2\n     a", "|\n    a\n     b\n    c\n",
  "|\n    1", "|-\n    1", "&x 1", "&x [1]", "\"a # b\"", "'a: b'",
])

DOCUMENTS = [
  "", "\n", "# c\n", "---\n", "--- a\n", "---\na: 1\n", "a: 1\n---\nb: 2\n", "a: 1\n...\nb: 2\n", "--- # c\na: 1\n", "%YAML 1.1\n---\na: 1\n", "%YAML 1.2\n---\na: 1\n", "a\n", "- a\n- b\n", "a: 1\n---\n[\n",
  "\uFEFFa: 1\n", "a: 1\r\nb: 2\r\n", "a: 1\rb: 2\r", "a: 1", "a: 1\n\n\n", "  a: 1\n  b: 2\n", "a: 1\n b: 2\n", "a:\n  b: 1\n c: 2\n", "a:\n\tb: 1\n", "a:\t1\n", "a: 1\t# c\n", "\ta: 1\n", "a: 1 \n", "- a\n -b\n", "-a\n-b\n",
  "a: 1\na: 2\n", "a: 1\nb: 2\na: 3\n", ":a: 1\na: 2\n", "1: a\n'1': b\n", "on: 1\ntrue: 2\n", "~: 1\nnull: 2\n", "1: a\n1.0: b\n", "? a\n: b\n", "? [a, b]\n: c\n", "[a, b]: c\n", "{a: 1}: b\n", "? |\n  a\n: b\n", "? a\n? b\n",
  "a: &x 1\nb: *x\n", "a: &x {k: v}\nb: *x\n", "a: &x [1]\nb: *x\nc: *x\n", "a: *x\n", "a: &x 1\nb: &x 2\nc: *x\n", "a: &x\n  k: v\nb:\n  <<: *x\n", "&a a: 1\nb: *a\n", "&a a: 1\n*a : 2\n",
  "x-d: &d\n  hosts: [a]\n  env: {A: 1}\nservers:\n  web:\n    <<: *d\n  job:\n    <<: *d\n    hosts: [b]\n",
  "d: &d {a: 1, b: 2}\nx:\n  a: 9\n  <<: *d\n", "d: &d {a: 1, b: 2}\nx:\n  <<: *d\n  a: 9\n", "d: &d {a: 1}\ne: &e {a: 2, b: 3}\nx:\n  <<: [*d, *e]\n", "d: &d {a: 1}\ne: &e {a: 2, b: 3}\nx:\n  <<: *d\n  <<: *e\n",
  "x:\n  <<: {a: 1}\n", "x:\n  <<: 5\n", "x:\n  <<: null\n", "x:\n  <<:\n", "x:\n  <<: [1, 2]\n", "x:\n  <<: []\n", "x:\n  <<: [{a: 1}, {a: 2, b: 2}]\n", "x:\n  '<<': {a: 1}\n", "x:\n  !!str <<: {a: 1}\n",
  "d: &d [1]\nx:\n  <<: *d\n", "d: &d 1\nx:\n  <<: *d\n", "d: &d {a: 1}\nx:\n  <<: [*d, 1]\n", "d: &d {a: {b: 1}}\nx:\n  <<: *d\n  a: {c: 2}\n", "d: &d {a: {b: 1}}\nx: {<<: *d, c: 1}\n", "d: &d {<<: {z: 1}, a: 1}\nx: {<<: *d}\n",
  "a: &x [1, &y 2]\nb: [*x, *y]\n", "a: &x\nb: *x\n", "a: &x ''\nb: *x\n", "a: &x-y_1 1\nb: *x-y_1\n",
  "a:\n- b\n- c\n", "a:\n  - b\n  - c\n", "a:\n  - b: 1\n    c: 2\n  - d\n", "a:\n-\n- b\n", "- - a\n  - b\n- c\n", "-\n  a: 1\n", "- a: 1\n  b: 2\n", "- a:\n  - b\n", "a:\n  -b\n",
  "a: |\n  one\n  two\nb: 1\n", "a: |\n\n  one\n\n\nb: 1\n", "a: >\n  one\n  two\n\n  three\n   indented\nb: 1\n", "a: |-\n  one\nb: >-\n  two\n", "a: |+\n  one\n\nb: 1\n", "a: |\n one\nb: 2\n", "a: |  # c\n  one\n", "a: |1\n  one\n", "a: |\nb: 1\n", "a: >+\n\n\nb: 1\n", "a: |\n  # not a comment\n",
  "a: one\n  two\n  three\n", "a: one\n\n  two\n", "a: 'one\n  two'\n", "a: \"one\n  two\"\n", "a: \"one \\\n  two\"\n", "a: one # c\n  two\n", "a: one\n# c\nb: 2\n", "a: # c\n  b: 1\n", "a:\n  # c\n  b: 1\n  # d\n",
  "[a, b]\n", "{a: 1,\n b: 2}\n", "a: [1,\n2]\n", "a: [\n  1,\n  2,\n]\n", "a: {\n  b: 1\n}\n", "a: [1 # c\n , 2]\n", "a: [\n1,\n2,\n3\n]\nb: c\n", "x:\n    a: [\n    \u00e9 f,\n  2,\n    ]\n    b: c\n", "x:\n  - a: {\n  b: 1,\n  c: [d,\ne], f: g}\n    h: i\n", "a: [\n\"b\",\n'c'\n]\n", "a: {\n\"b\": \"c\",\nd: e\n}\n", "a: [b\nc, d]\n", "x:\n  a: \"b\nc\"\n", "x:\n  a: 'b\n c'\n", "x:\n  a: b\n c\n", "a: [1\n", "a: {b: 1\n", "a: ]\n", "a: }\n", "a: [1]]\n", "a: [a b\n c]\n", "{a: [1, {b: c}], d: }\n", "a: {b, c}\n", "[? a : b]\n", "{? a, b}\n",
  "a: b: c\n", "a: 'b'c\n", "a: \"b\" c\n", "a: 'b\n", "a\nb: 1\n", "a: 1\nb\n", "a: 1\nb\nc: 2\n", "a: @b\n", "a: `b`\n", "a: %b\n", "%a: b\n", "a: !b\n", "a: ! b\n", "a: - b\n", "a: -b\n", "- a: - b\n", "a: ?b\n", "a: ? b\n", ": a\n", "a:b\n", "a :1\n", "a : 1\n", "\"a\": 1\n", "'a': 1\n", "\"a\":1\n", "a b: 1\n", "a,b: 1\n", "a#b: 1\n", "#a: 1\nb: 2\n", "a?: 1\n", "?a: 1\n", "-a: 1\n", "a-: 1\n", "- : 1\n", "a: -\n", "a: b\n  c: d\n", "a:\n    b: 1\n  c: 2\n",
  "service: app\nimage: me/app\nservers:\n  web:\n    - 1.1.1.1\n    - 1.1.1.2: [a, b]\nproxy:\n  ssl: true\n  host: a.b\nregistry:\n  server: ghcr.io\n  username: me\n  password:\n    - KAMAL_REGISTRY_PASSWORD\nbuilder:\n  arch: amd64\nenv:\n  clear:\n    DB_HOST: 192.168.0.2\n    PORT: 3306\n    FLAG: on\n  secret:\n    - RAILS_MASTER_KEY\naliases:\n  console: app exec --interactive --reuse \"bin/rails console\"\nvolumes:\n  - \"app_storage:/app/storage\"\naccessories:\n  db:\n    image: mysql:8.0\n    port: 3306\n    options:\n      cpus: 2\n      health-cmd: \"a b\"\n    files:\n      - config/mysql/production.cnf:/etc/mysql/my.cnf\n",
  "a: 1\n\tb: 2\n", "a:\n  - b\n\t- c\n", "a:\n  b: 1\n\tc: 2\n", "- a\n\t- b\n", "a: [\n\t1,\n\t2\n]\n", "a: |\n\tb\n", "a: |\n  \tb\n", "a: 'b\n\tc'\n", "a: b\n\tc\n", "a:\n  - x\n  -\ty\n", "-\ta\n", "a: \tb\n", "a:\t'b'\n", "a:\t- b\n", "a:\t[b]\n", "a:\n\n\t\nb: 1\n", "a: 1\n\t# c\nb: 2\n", "\t# c\na: 1\n", "\t\na: 1\n", " \ta: 1\n", "a:\t b\nc:\t d\n", "a:\n  b:\t1 # c\n  c: \"x:\ty\"\n",
  "labels:\n  traefik.http.routers.x.rule: Host(`a.b`) && PathPrefix(`/x`)\n", "env:\n  KEY: \"a\\nb\"\n  X: 'it''s'\n", "ports: [\"80:80\", 443:443, 2222:22]\n", "healthcheck: {path: /up, interval: 3s}\n", "options:\n  memory: 1g\n  \"add-host\": [\"a:1.1.1.1\"]\n",
  "é: ü\n", "a: \"\\u263A\"\n", "a: \u00a0b\n", "a: b\u2028c\n", "a: b\u0085c\n", "a: \u0007\n", "a: \"\u0007\"\n", "\u65e5\u672c: [\u65e5, \u672c]\n", "a: \u{1F680}\n",
  "a: #{"x" * 200}\n", "a: #{(["word"] * 40).join(" ")}\n", "a: '#{(["it''s"] * 40).join(" ")}'\n", "a: \"-#{(["word"] * 40).join(" ")}\"\n", "a: '#{"# " * 60}'\n", "? #{"k" * 200}\n: 1\n", "#{"k" * 130}: 1\n", "a: [#{(["word"] * 40).join(", ")}]\n",
  "a: ' b'\n", "a: 'b '\n", "a: ''\n", "a: ' '\n", "a: \"b\\n\"\n", "a: \"b\\n\\n\"\n", "a: \"\\nb\"\n", "a: \"\\n\"\n", "a: \"b\\nc\"\n", "a: \"b\\nc\\n\"\n", "a: \"b\\nc\\n\\n\"\n", "a: \" b\\nc\"\n", "a: \"b\\n c\"\n", "a: \"b \\nc\"\n", "a: \"b\\tc\"\n", "a: \"\\tb\"\n", "a: \"b\\rc\"\n", "a: \"b\\r\\nc\"\n", "a: \"\\0\"\n", "a: \"\\e[0m\"\n", "a: \"\\x7f\"\n", "a: \"b\\u2028c\"\n", "a: \"\\uFEFFb\"\n", "a: \"b\\u00a0c\"\n", "a: \"b\\u0085c\"\n",
  "- '- a'\n- '-a'\n- '? a'\n- '?a'\n- ': a'\n- 'a:'\n- 'a: b'\n- 'a #b'\n- 'a#b'\n- '#a'\n- '&a'\n- '*a'\n- '!a'\n- '|a'\n- '>a'\n- '%a'\n- '@a'\n- '`a'\n- '\"a'\n- '\"a\"'\n- ''''\n- 'it''s'\n- ',a'\n- 'a,b'\n- '[a'\n- 'a]'\n- '{a'\n- 'a}'\n- '---'\n- '--- a'\n- '...'\n- '..'\n- '=a'\n- '~'\n- '~a'\n- '<<'\n- '<a'\n- '=' \n- '$a'\n- '/a'\n- '.a'\n- '(a)'\n- '_a'\n- '\\a'\n- 'a\\b'\n- '--volume'\n- '$PWD/x'\n- '%'\n- 'max-size=\"10m\"'\n- '\"10m\" x'\n- '-\"a\"'\n",
  "- 'y'\n- 'n'\n- 'Y'\n- 'yes'\n- 'true'\n- 'null'\n- '1'\n- '08'\n- '0o7'\n- '1e3'\n- '1.5'\n- '12:30'\n- '2024-01-01'\n- ':a'\n- '1_000'\n- '0x1F'\n- '.5'\n- '.inf'\n- '1,000'\n- '80:80'\n- '0189'\n- '2024-01-01 10:00:00'\n",
  "'1': a\n'true': b\n'': c\n'a b': d\n'a: b': e\n'-a': f\n'<<': 1\n'y': g\n\"a\\nb\": h\n':s': i\n",
  "a: {}\nb: []\nc:\nd: [[]]\ne: [{}]\nf: [[1, 2], [3]]\ng: [{a: 1, b: 2}, {c: 3}]\nh: {i: {j: {}}}\n", ":a: :b\n:c:\n  :d: [:e, :\"f g\"]\n", "[[[a]]]\n", "- - - a\n    - b\n  - c\n- d\n",
  "a: 1.0\nb: 1e+3\nc: 1.0e+20\nd: .inf\ne: -.inf\nf: .nan\ng: 0x1F\nh: 1_000\ni: 0.1\nj: 1.0e-10\n", "- ~\n- true\n- off\n- 2024-01-01\n", "a: &x {k: [1]}\nb: *x\nc: {<<: *x}\nd: &y []\ne: *y\n",
]

def typed(value, seen = [])
  case value
  when nil then ["null"]
  when true, false then ["bool", value]
  when Integer then ["int", value.to_s]
  when Float then ["float", value.to_s]
  when String then ["str", value]
  when Symbol then ["sym", value.to_s]
  when Time, DateTime then ["time"]
  when Date then ["date", value.iso8601]
  when Array then ["seq", value.map { |v| typed(v) }]
  when Hash then ["map", value.map { |k, v| [typed(k), typed(v)] }]
  else ["other", value.class.name]
  end
end

def simple?(value)
  case value
  when Time, Date, DateTime then false
  when Array then value.all? { |v| simple?(v) }
  when Hash then value.all? { |k, v| simple?(k) && simple?(v) }
  else true
  end
end

def read(text)
  first = Psych.parse(text)
  return { "yaml" => text, "value" => ["null"] } unless first
  value = YAML.unsafe_load(text)
  result = { "yaml" => text, "value" => typed(value) }
  result["dump"] = YAML.dump(value) if simple?(value)
  result
rescue Psych::Exception, ArgumentError, TypeError => e
  { "yaml" => text, "error" => e.class.name, "message" => e.message }
end

texts = SCALARS.flat_map { |s| ["k: #{s}\n", "- #{s}\n"] + (s.include?("\n") ? [] : ["[#{s}, z]\n", "#{s}: v\n"]) } + DOCUMENTS
cases = texts.uniq.map { |text| read(text) }
File.write(File.join(__dir__, "cases.json"), "[\n" + cases.map { |c| JSON.generate(c) }.join(",\n") + "\n]\n")
warn "#{cases.size} cases, #{cases.count { |c| c["error"] }} of them errors (psych #{Psych::VERSION}, libyaml #{Psych::LIBYAML_VERSION})"
