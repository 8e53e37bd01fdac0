# Asks Kamal's own library about the cases of crates/config/tests/vectors/kamal.jsonl, and prints those where its answer is another
# than the one written there. In: the cases on standard input, one JSON object a line. Runs where Kamal is (see bin/oracle).
require "kamal"
require "json"
require "fileutils"
require "tmpdir"

# What every case has, unless it has a whole file of its own: as in crates/config/tests/checklist/deploy.rs.
LEAST = <<~YAML
  service: app
  image: dhh/app
  registry: {username: dhh, password: secret}
  builder: {arch: amd64}
  servers: [1.1.1.1]
YAML

# No docker is asked.
module Kamal::Utils
  def self.docker_arch = "amd64"
end

def answer(kase)
  Dir.mktmpdir do |folder|
    Dir.chdir(folder) do
      FileUtils.mkdir_p "config"
      File.write "config/deploy.yml", kase["base"] || LEAST + kase["more"]
      File.write "config/deploy.#{kase["destination"]}.yml", kase["overlay"] if kase["destination"]
      file = Pathname.new(File.expand_path("config/deploy.yml"))
      config = Kamal::Configuration.create_from(config_file: file, destination: kase["destination"], version: "1")
      { "dump" => Kamal::Utils.redacted(config.to_h).to_yaml }
    end
  end
rescue Exception => error
  { "class" => error.class.to_s, "message" => error.message }
end

$stderr.reopen(File::NULL)
asked = wrong = 0
STDIN.each_line do |line|
  kase = JSON.parse(line)
  expected = kase.slice("class", "message", "dump")
  found = answer(kase)
  asked += 1
  # Of most that load, nothing is written but that they do.
  next if expected == found || (expected.empty? && found.key?("dump"))
  wrong += 1
  puts line, "  Kamal: #{found}"
end
puts "#{asked} cases, #{wrong} differ"
exit 1 unless wrong.zero? && asked > 2_500
