# Writes cases.json: what Ruby's ERB (trim mode "-", as Kamal calls it) makes of each template.
# Run with dotenv 3.2's lib on the load path: ruby -I path/to/dotenv/lib vectors/erb/generate.rb
#
# Commands are answered from a table, files lie in a directory of their own, and the few things that Kamal has loaded besides
# (ActiveSupport's blank?, its own constants) are defined here, so that the cases need neither Kamal nor a particular machine.
require "json"
require "erb"
require "yaml"
require "cgi"
require "uri"
require "base64"
require "shellwords"
require "stringio"
require "fileutils"
require "dotenv"

COMMANDS = { "git rev-parse HEAD" => "abc123\n", "hostname" => "box\n", "printf 'a\\nb\\n'" => "a\nb\n", "false" => "", "echo 1.1.1.1,2.2.2.2" => "1.1.1.1,2.2.2.2\n", "docker info --format '{{.Architecture}}'" => "x86_64\n", "op read \"op://v/i\"" => "s3cret\n" }
ENVIRONMENT = { "HOME" => "/home/me", "HOSTS" => "1.1.1.1,2.2.2.2", "NAME" => "app", "EMPTY" => "", "SPACES" => "  x  ", "COUNT" => "3", "JSON" => '{"a": {"b": [1, "x", null, 1.5, true]}}', "QUOTED" => "a\"b'c\\d" }
FILES = { ".env" => "FROM_DOTENV=yes\nNAME=dotenv\nREF=$FROM_DOTENV-x\n", ".env.local" => "FROM_DOTENV=local\nLOCAL=1\n", "VERSION" => "1.2.3\n", "hosts.txt" => "h1\nh2\n", "partial.erb" => "p: <%= ENV[\"NAME\"] %>\n", "config/x.yml" => "production:\n  hosts: [a, b]\n  port: 80\n", "data.json" => '{"k": ["v"]}', ".kamal/secrets.st" => "S=1\n" }
DIRECTORY = "/tmp/dhow-erb-vectors"

class Object
  def blank? = respond_to?(:empty?) ? (is_a?(String) ? strip.empty? : !!empty?) : !self
  def present? = !blank?
  def presence = present? ? self : nil
  def `(line)
    return COMMANDS.fetch(line) if COMMANDS.key?(line)
    raise Errno::ENOENT, line
  end
end
module Kamal
  VERSION = "2.12.0"
  module Utils
    def self.docker_arch = `docker info --format '{{.Architecture}}'`.strip.then { |a| { "x86_64" => "amd64" }.fetch(a, a) }
  end
end

TEXTS = [
  # tags and white space
  "", "plain\n", "a <%= 1 %> b\n", "a <%= 1 -%> b\n", "a <%= 1 -%>\nb\n", "a <%= 1 -%> \nb\n", "a <%= 1 -%>\r\nb\r\n", "<%= 1 -%>\n\nb\n", "<% 1 %>\nb\n", "<% 1 -%>\nb\n", "  <%- 1 -%>\nb\n", "  <%- 1 %>\nb\n", "x <%- 1 -%>\nb\n", "\t <%- 1 -%>\nb\n", "<%= 1 %>  <%- 1 -%>\nb\n", "<%# c %>\nb\n", "<%# c -%>\nb\n", "  <%# c -%>\nb\n", "<%#= 1 %>b\n", "<%% x %>\n", "<%%= 1 %>\n", "a <%= '%%>' %> b\n", "%> x\n", "% 1 + 1\n", "%% x\n", "<%= 1", "a\n<% x", "a <%", "<%=", "<%", "<%=1%><%=2%>\n", "<%=1-%>\n<%=2-%>\n", "<%\nx = 1\ny = 2\n%><%= x + y %>\n", "<%= [\n 1,\n 2\n] %>\n", "<%- x = 1 -%>\n<%- y = 2 -%>\n<%= x + y %>", "a: \"<%= 1 %>\"\n", "é <%= 'ü' %> 日\n", "<% %>x", "<%= %>x", "<%= nil %>x", "<%- -%>\nx", "#<%= 1 %>\n", "# <%= ENV[\"A\"] || ENV[\"B\"] || \"\#{RUBY_ENGINE}-x\" %>\n",
  # control flow over tags
  "- a\n<% if true -%>\n- b\n<% end -%>\n- c\n", "- a\n<% if false -%>\n- b\n<% end -%>\n- c\n", "<% if true %>\n- b\n<% end %>\n", "<% if false %>a<% else %>b<% end %>", "<% if false %>a<% elsif true %>b<% else %>c<% end %>", "<% if false %>a<% elsif nil %>b<% else %>c<% end %>", "<% unless true %>a<% else %>b<% end %>", "<% if ENV[\"NAME\"] == \"app\" %>yes<% end %>", "<% if ENV['KAMAL_DESTINATION'] == 'st' -%>\nst\n<% else -%>\nprod\n<% end -%>\n", "<% if ENV[\"X\"] && !ENV[\"Y\"] || true %>a<% end %>", "<% if (1 == 1) && (2 != 3) then %>a<% end %>", "<% case ENV[\"NAME\"]\n   when \"x\" %>1<% when \"app\", \"y\" %>2<% else %>3<% end %>", "<%= case 5 when 1..3 then 'low' when 4...6 then 'mid' else 'high' end %>", "<%= case when false then 1 else 2 end %>", "<% %w[a b].each do |x| %><%= x %>,<% end %>", "<% %w[a b].each do |x| -%>\n- <%= x %>\n<% end -%>\nz\n", "<% ['a', 'b'].each_with_index do |x, i| %><%= i %>=<%= x %> <% end %>", "<% {a: 1, 'b' => 2}.each do |k, v| %><%= k %>:<%= v %> <% end %>", "<% 3.times do |i| %><%= i %><% end %>", "<% (1..3).each { |i| %><%= i %><% } %>", "<% for x in [1,2] do %><%= x %><% end %>", "<% for x in [1,2] %><%= x %><% end %>", "<% [1,2,3].each do |x| next if x == 2 %><%= x %><% end %>", "<% [1,2,3].each do |x| break if x == 2 %><%= x %><% end %>", "<% if true %><% if false %>a<% else %>b<% end %><% end %>", "<% x = 1 %><% [1,2].each do |y| x = x + y end %><%= x %>", "<% [1].each do |y| z = y end %><%= [1].map { |q| q + 1 } %>", "<% ENV.fetch('HOSTS').split(',').each do |h| -%>\n  - <%= h %>\n<% end -%>\n",
  # literals and to_s
  "<%= 'x' %>", "<%= \"x\" %>", "<%= 'a\\'b\\\\c\\n' %>", "<%= \"a\\n\\t\\e\\s\\\"\\\\\\u00e9\\u{1F680}\" %>", "<%= \"a\#{1 + 1}b\#{\"c\#{3}\"}\" %>", "<%= \"a\#b\" %>", "<%= 'a' 'b' %>", "<%= %q(a(b)c) %>", "<%= %Q[a\#{1}] %>", "<%= %(a b) %>", "<%= %w[a b  c] %>", "<%= %i[a b] %>", "<%= :sym %>", "<%= :\"a b\" %>", "<%= nil %>", "<%= true %>", "<%= false %>", "<%= 1_000 %>", "<%= 0x1F %>", "<%= 010 %>", "<%= -5 %>", "<%= 1.50 %>", "<%= 1e3 rescue 2 %>"[0, 0] + "<%= 100.0 %>", "<%= 1.0 / 3 %>", "<%= [] %>", "<%= {} %>", "<%= [1, nil, :a, \"b\", 1.5, [true]] %>", "<%= {\"a\" => 1, b: nil, 3 => :c, \"d e\": 1} %>", "<%= [\"a\\\"b\", \"c\\n\", \"\#{1}\", 'x\#{y}', \"é\"] %>", "<%= (1..3) %>", "<%= 1..3 %>", "<%= [:\"a b\", :c?, :D] %>", "<%= \"a\".inspect %>", "<%= nil.inspect %>", "<%= :a.inspect %>", "<%= nil.to_s.inspect %>",
  # operators
  "<%= 1 + 2 * 3 %>", "<%= (1 + 2) * 3 %>", "<%= 7 / 2 %>", "<%= -7 / 2 %>", "<%= 7 % 3 %>", "<%= -7 % 3 %>", "<%= 2 ** 10 %>", "<%= 7.0 / 2 %>", "<%= 1 <=> 2 %>", "<%= 1 < 2 %>", "<%= 2 >= 3 %>", "<%= 'a' < 'b' %>", "<%= 1 == 1.0 %>", "<%= 'a' == :a %>", "<%= !nil %>", "<%= not true %>", "<%= true && nil %>", "<%= nil || 'x' %>", "<%= false || nil || 3 %>", "<%= true and false %>", "<%= (nil or 5) %>", "<%= 1 == 1 ? 'a' : 'b' %>", "<%= nil ? 1 : false ? 2 : 3 %>", "<%= ENV['X']?1:2 %>"[0, 0] + "<%= ENV['X'] ? 1 : 2 %>", "<%= true ? \"a\":\"b\" %>", "<%= 'a' + 'b' %>", "<%= 'ab' * 3 %>", "<%= [1] + [2] %>", "<%= [1,2,2,3] - [2] %>", "<%= [0] * 3 %>", "<%= [1,2] * '-' %>", "<%= 'x' if true %>", "<%= 'x' if false %>", "<%= 'x' unless false %>", "<%= x = 5 %><%= x %>", "<% x ||= 3 %><%= x %>", "<% x = 1; x ||= 3; x += 4; x -= 1; x *= 2 %><%= x %>", "<% x = nil; x &&= 3 %><%= x.inspect %>", "<% a = b = 2 %><%= a + b %>", "<%= 1; 2 %>", "<%= begin; 1; 2; end %>", "<%= (1\n2) %>", "<%= ENV.fetch('NOPE') rescue 'none' %>", "<% x = File.read('nope') rescue 'gone' %><%= x %>", "<%= begin\n  File.read('nope')\nrescue\n  'gone'\nend %>", "<%= if true then 1 else 2 end %>", "<%= 1 +\n 2 %>", "<%= [1,2]\n  .map { |x| x * 2 }\n  .join('-') %>", "<%= 1 # c\n %>",
  # environment
  "<%= ENV[\"NAME\"] %>", "<%= ENV['NOPE'] %>|", "<%= ENV[\"NOPE\"] || \"d\" %>", "<%= ENV.fetch(\"NAME\") %>", "<%= ENV.fetch(\"NOPE\") %>", "<%= ENV.fetch(\"NOPE\", \"d\") %>", "<%= ENV.fetch(\"NOPE\", nil).inspect %>", "<%= ENV.fetch(\"NOPE\") { \"b\" } %>", "<%= ENV.fetch(\"NOPE\") { |n| n.downcase } %>", "<%= ENV.fetch('NOPE') do 'x' end %>", "<%= ENV.key?('NAME') %>", "<%= ENV.has_key?('NOPE') %>", "<%= ENV.include?('NAME') %>", "<%= ENV.values_at('NAME', 'NOPE') %>", "<%= ENV['NAME'].inspect %>", "<%= ENV['NOPE'].inspect %>", "<% ENV['NEW'] = 'v' %><%= ENV['NEW'] %>", "<% ENV['NEW'] ||= 'v' %><% ENV['NAME'] ||= 'w' %><%= ENV['NEW'] + ENV['NAME'] %>", "<% ENV.delete('NAME') %><%= ENV['NAME'].nil? %>", "<% ENV['NAME'] = nil %><%= ENV.key?('NAME') %>", "<%= ENV['EMPTY'].presence || 'd' %>", "<%= ENV['SPACES'].blank? %>", "<%= ENV['NOPE'].present? %>", "<%= ENV['NOPE']&.strip.inspect %>", "<%= ENV['SPACES']&.strip %>", "<%= ENV['NOPE'].strip %>", "<%= ENV[nil] %>", "<%= ENV['HOSTS'].split(',') %>", "hosts: <%= ENV.fetch(\"HOSTS\").split(\",\") %>\n", "<%= ENV.slice('NAME', 'NOPE') %>",
  # strings
  "<%= ' a '.strip %>|", "<%= \"a\\n\".chomp %>|", "<%= \"a\\r\\n\\n\".chomp.inspect %>", "<%= 'abc'.chomp('c') %>", "<%= ' a '.lstrip %>|<%= ' a '.rstrip %>|", "<%= 'a,b,,c,,'.split(',') %>", "<%= 'a b  c'.split %>", "<%= 'a b'.split(' ') %>", "<%= 'abc'.split('') %>", "<%= 'a,b,c'.split(',', 2) %>", "<%= ''.split(',') %>", "<%= 'Ab'.upcase %><%= 'Ab'.downcase %><%= 'aB'.capitalize %>", "<%= 'a.b.c'.gsub('.', '-') %>", "<%= 'a.b.c'.sub('.', '-') %>", "<%= 'a-b'.tr('-', '_') %>", "<%= 'hello'.tr('a-y', 'b-z') %>", "<%= 'a b'.delete(' ') %>", "<%= 'abc'.start_with?('ab') %>", "<%= 'abc'.start_with?('x', 'a') %>", "<%= 'abc'.end_with?('c') %>", "<%= 'abc'.include?('b') %>", "<%= ''.empty? %>", "<%= 'aé'.length %>", "<%= '12ab'.to_i %>", "<%= 'x'.to_i %>", "<%= ' -7 '.to_i %>", "<%= '1.5x'.to_f %>", "<%= 'a'.to_sym.inspect %>", "<%= 'abc'[0] %><%= 'abc'[-1] %><%= 'abc'[5].inspect %>", "<%= 'abcdef'[1..3] %>", "<%= 'abcdef'[1..-2] %>", "<%= 'abcdef'[0, 2] %>", "<%= 'abcdef'[0...7] %>", "<%= \"a\\nb\".lines %>", "<%= 'ab'.chars %>", "<%= 'ab'.reverse %>", "<%= 'v1.2'.delete_prefix('v') %>", "<%= 'a.git'.delete_suffix('.git') %>", "<%= '7'.rjust(3, '0') %>", "<%= 'a'.ljust(3) %>|", "<%= 'a'.nil? %>", "<%= 'a'.to_json %>", "<%= \"a\\\"\\n/é<\".to_json %>", "<%= 'a' + 1 %>", "<%= 'a' + nil %>", "<%= 1 + 'a' %>", "<%= nil + 'a' %>", "<%= 'a b'.shellescape %>", "<%= 'abcabc'.index('c') %>", "<%= 'abcabc'.count('c') %>", "<%= 'A_B'.downcase.tr('_', '-').chomp('-b') %>",
  # lists and hashes
  "<%= [1,2,3].join(',') %>", "<%= [1,[2,[nil,3]]].join('-') %>", "<%= [1,2].join %>", "<%= [' a', 'b '].map(&:strip) %>", "<%= [1,2].map { |x| x * 2 } %>", "<%= [1,2].map do |x| x end %>"[0, 0] + "<%= %w[a b].map(&:upcase).join %>", "<%= [3,1,2].sort %>", "<%= %w[b a].sort.first %>", "<%= [1,2,3].first %><%= [1,2,3].last %><%= [].first.inspect %>", "<%= [1,2,3].first(2) %>", "<%= [1,2,3].last(2) %>", "<%= [1,2,3][1] %><%= [1,2,3][-1] %><%= [1][5].inspect %>", "<%= [1,2,3][0..1] %>", "<%= [1,2,3][1..] rescue 1 %>"[0, 0] + "<%= [1,2,3][0, 2] %>", "<%= [1,nil].compact %>", "<%= [1,[2,[3]]].flatten %>", "<%= [1,1,2].uniq %>", "<%= [1,2].reverse %>", "<%= [1,2].include?(2) %>", "<%= [].empty? %>", "<%= [1,2].size %>", "<%= [1,2,3].select { |x| x > 1 } %>", "<%= [1,2,3].reject(&:even?) %>", "<%= [1,2,3].find { |x| x > 1 } %>", "<%= [1,2].any? { |x| x > 1 } %><%= [1,2].all? { |x| x > 1 } %><%= [].none? %>", "<%= [1,2,3].sum %>", "<%= ['a', 'b'].sum('') rescue 'x' %>"[0, 0] + "<%= [1,2,3].min %><%= [1,2,3].max %>", "<%= [1,2].each_with_index.map { |x, i| x * i } %>", "<%= [5,6].map.with_index { |x, i| [i, x] } %>", "<%= %w[a b].map.with_index(1) { |x, i| \"\#{x}\#{i}\" } %>", "<%= %w[a b].each_with_index.to_a %>", "<%= [[1, 2], [3, 4]].map { |a, b| a + b } %>", "<%= [[1, [2, 3]]].map { |a, (b, c)| a + b + c } %>", "<%= [[1, 2]].to_h %>", "<%= %w[a b].to_h { |x| [x, 1] } %>", "<%= [1,2].zip([3,4]) %>", "<%= %w[bb a].sort_by { |x| x.length } %>", "<%= %w[bb a].sort_by(&:length) %>", "<%= [1,2,3,4].partition(&:even?) %>", "<%= %w[a b a].tally %>", "<%= %w[aa b].group_by(&:size) %>", "<%= [1,2].flat_map { |x| [x, x] } %>", "<%= [1,nil,2].filter_map { |x| x && x + 1 } %>", "<%= (1..3).map { |i| \"h\#{i}\" } %>", "<%= (1...4).to_a %>", "<%= 3.times.map { |i| i } %>", "<%= (1..3).include?(2) %>", "<%= [1,2].map { _1 + 1 } %>", "<%= [1,2].take(1) %><%= [1,2].drop(1) %>", "<%= [1].to_json %>", "<%= {a: [1, nil]}.to_json %>", "<%= {a: 1}[:a] %>", "<%= {a: 1}['a'].inspect %>", "<%= {'a' => 1}.fetch('a') %>", "<%= {'a' => 1}.fetch('b') %>", "<%= {a: 1}.fetch(:b) %>", "<%= {'a' => 1}.fetch('b', 2) %>", "<%= {a: 1}.key?(:a) %>", "<%= {a: 1, b: 2}.keys %><%= {a: 1}.values %>", "<%= {a: 1}.merge({b: 2, a: 3}) %>", "<%= {a: {b: [1]}}.dig(:a, :b, 0) %>", "<%= {a: nil}.dig(:a, :b).inspect %>", "<%= {a: 1}.map { |k, v| \"\#{k}=\#{v}\" }.join %>", "<%= {a: 1, b: 2}.select { |k, v| v > 1 } %>", "<%= {a: 1}.transform_values { |v| v + 1 } %>", "<%= {a: 1}.to_a %>", "<%= {a: 1}.any? { |k, v| v == 1 } %>", "<%= {b: 1, a: 2}.sort_by { |k, v| v } %>", "<%= {a: 1, a: 2} %>"[0, 0] + "<%= {a: 1}.slice(:a) %><%= {a: 1}.except(:a) %>", "<%= {a: 1}.each { |k, v| k } %>", "<%= {a: 1}.empty? %><%= {a: 1}.size %>", "<%= [1,2].values_at(0, 5) %>", "<%= [1].fetch(3) %>", "<%= [1].fetch(3, 'd') %>", "<%= %w[a b].index('b') %>", "<%= [1, 'a'].first.to_s %>", "<%= [nil, false].compact %>", "<%= nil.to_a %>", "<%= [2, 1].minmax rescue 'x' %>"[0, 0],
  # numbers
  "<%= 5.to_s %>", "<%= 5.zero? %>", "<%= 4.even? %>", "<%= -5.abs %>"[0, 0] + "<%= (-5).abs %>", "<%= 1.5.round %><%= 2.5.round %><%= 1.234.round(2) %>", "<%= 1.5.to_i %>", "<%= 3.7.floor %><%= 3.2.ceil %>", "<%= 1 / 0 %>", "<%= Integer('12') %>", "<%= Integer('x') %>", "<%= Integer(nil) %>", "<%= ENV['COUNT'].to_i + 1 %>", "<%= ENV.fetch('COUNT').to_i * 2.5 %>", "<%= 10.0.to_s %>", "<%= 1e20.to_i rescue 0 %>"[0, 0], "<%= 12345678901234567.0 %>"[0, 0] + "<%= 0.00001 %>", "<%= 100.fdiv(3) rescue 1 %>"[0, 0],
  # commands
  "<%= `hostname` %>|", "<%= `hostname`.strip %>", "<%= %x(git rev-parse HEAD).chomp %>", "<%= `git rev-parse HEAD`.strip[0, 3] %>", "<%= `false`.inspect %>", "<%= `nope` %>", "<%= %x[nope -x] %>", "<%= `echo \#{ENV['HOSTS']}`.strip.split(',') %>", "<%= `printf 'a\\\\nb\\\\n'`.lines.map(&:chomp) %>", "<% rev = `git rev-parse HEAD`.strip %><%= rev %>", "<%= `op read \"op://v/i\"`.chomp %>", "<%= Kamal::Utils.docker_arch %>", "<%= Kamal::Utils.docker_arch == 'arm64' ? 'arm64' : 'amd64' %>",
  # files, dotenv, parsers
  "<%= File.read('VERSION') %>|", "<%= File.read(\"VERSION\").strip %>", "<%= File.read('nope') %>", "<%= File.exist?('VERSION') %><%= File.exist?('nope') %>", "<%= File.exist?('config') %>", "<%= File.join('a', 'b', '/c/', 'd') %>", "<%= File.join('/a/', 'b') %>", "<%= File.basename('/a/b.rb') %><%= File.basename('/a/b.rb', '.rb') %><%= File.basename('a/') %>", "<%= File.dirname('/a/b/c') %><%= File.dirname('a') %>", "<%= File.extname('a/b.rb') %>", "<%= File.expand_path('a/../b') %>", "<%= File.expand_path('~/x') %>", "<%= File.expand_path('/a/./b') %>", "<%= File.expand_path('x', '/a') %>", "<%= Dir.pwd %>", "<%= File.basename(Dir.pwd) %>", "<%= File.readlines('hosts.txt', chomp: true) %>", "<%= File.read('hosts.txt').split %>", "<%= File.read('hosts.txt').lines.map(&:strip).join(',') %>", "<% require 'dotenv'; Dotenv.load('.env') %><%= ENV['FROM_DOTENV'] %> <%= ENV['NAME'] %> <%= ENV['REF'] %>", "<% require \"dotenv\"; Dotenv.load %><%= ENV['FROM_DOTENV'] %>", "<% Dotenv.load('nope', '.env.local', '.env') %><%= ENV['FROM_DOTENV'] %><%= ENV['LOCAL'] %>", "<% Dotenv.load('.env', overwrite: true) %><%= ENV['NAME'] %>", "<% Dotenv.load '.env.local', overwrite: true %><%= ENV['LOCAL'] %>", "<% Dotenv.overload('.env') %><%= ENV['NAME'] %>", "<%= Dotenv.parse('.env')['FROM_DOTENV'] %><%= ENV['FROM_DOTENV'].inspect %>", "<% ENV['KAMAL_DESTINATION'] = 'st' %><%= Dotenv.parse(\".kamal/secrets.\#{ENV['KAMAL_DESTINATION']}\")['S'] %>", "<% require 'json' %><%= JSON.parse(ENV['JSON'])['a']['b'] %>", "<%= JSON.parse(ENV['JSON'], symbolize_names: true)[:a] %>", "<%= JSON.parse(ENV['JSON']).dig('a', 'b', 1) %>", "<%= JSON.parse(File.read('data.json'))['k'].first %>", "<%= JSON.generate({a: 1}) %>", "<%= YAML.load('a: [1, x]')['a'] %>", "<%= YAML.load_file('config/x.yml')['production']['hosts'].join(' ') %>", "<%= YAML.load(File.read('config/x.yml')).dig('production', 'port') %>", "<%= {'a' => [1]}.to_yaml %>", "<%= ERB.new(File.read('partial.erb'), trim_mode: '-').result %>", "<% n = 5 %><%= ERB.new(\"n=<%= n %\" + \">\", trim_mode: '-').result(binding) %>", "<%= CGI.escape('a b&c/é*~') %>", "<%= URI.encode_www_form_component('a b&c~') %>", "<%= ERB::Util.url_encode('a b~') %>", "<%= Base64.strict_encode64('hello') %>", "<%= Shellwords.escape('a b') %>", "<% puts 'hi' %>x", "<% puts ['a', 1], nil %>x", "<% print 'a' %>x", "<%= puts 'a' %>x", "<% raise 'no' %>", "<% fail 'no' %>", "<% abort 'stop' unless ENV['X'] %>", "<% raise 'no' unless ENV['NAME'] == 'app' %>ok", "<% raise \"need X\" if ENV['X'].nil? %>",
  # whole files
  "service: <%= ENV.fetch(\"NAME\") %>\n<% hosts = ENV.fetch(\"HOSTS\", \"\").split(\",\").map(&:strip).reject(&:empty?) -%>\nservers:\n  web:\n    hosts:\n<% hosts.each do |host| -%>\n      - <%= host %>\n<% end -%>\n<% if ENV[\"KAMAL_DESTINATION\"] == \"production\" -%>\nproxy:\n  ssl: true\n<% else -%>\nproxy:\n  ssl: false\n<% end -%>\n",
  "<%\n  require \"dotenv\"\n  Dotenv.load(\".env\")\n  tag = `git rev-parse HEAD`.strip[0...7]\n%>\nimage: app:<%= tag %>\nbuilder:\n  arch: <%= Kamal::Utils.docker_arch %>\n  args:\n    RUBY: <%= ENV[\"RBENV_VERSION\"] || ENV[\"RV\"] || \"\#{RUBY_ENGINE}-x\" %>\n",
]

def render(template)
  ENV.replace(ENVIRONMENT)
  printed = StringIO.new
  before, $stdout = $stdout, printed
  reply =
    begin
      { "text" => ERB.new(template, trim_mode: "-").result(TOPLEVEL_BINDING.dup) }
    rescue Exception => e
      { "error" => e.class.name, "message" => e.message }
    ensure
      $stdout = before
    end
  changed = (ENV.keys | ENVIRONMENT.keys).select { |k| ENV[k] != ENVIRONMENT[k] }.to_h { |k| [k, ENV[k]] }
  reply["env"] = changed unless changed.empty?
  reply["printed"] = printed.string unless printed.string.empty?
  { "template" => template }.merge(reply)
end

FileUtils.rm_rf(DIRECTORY)
FILES.each { |name, text| path = File.join(DIRECTORY, name); FileUtils.mkdir_p(File.dirname(path)); File.write(path, text) }
cases = Dir.chdir(DIRECTORY) { TEXTS.uniq.map { |template| render(template) } }
FileUtils.rm_rf(DIRECTORY)
head = { "commands" => COMMANDS, "env" => ENVIRONMENT, "files" => FILES, "cwd" => DIRECTORY }
File.write(File.join(__dir__, "cases.json"), "{\n" + head.map { |k, v| "#{k.to_json}: #{JSON.generate(v)},\n" }.join + "\"cases\": [\n" + cases.map { |c| JSON.generate(c) }.join(",\n") + "\n]}\n")
warn "#{cases.size} cases, #{cases.count { |c| c["error"] }} of them errors (ruby #{RUBY_VERSION})"
