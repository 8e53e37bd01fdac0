# Writes cases.json: what Ruby's dotenv 3.2 reads from each text, with Kamal's way of replacing `$(…)`.
# Run with the gem's lib on the load path: ruby -I path/to/dotenv/lib vectors/dotenv/generate.rb
#
# Commands are answered by a small table, not run, so that the cases say nothing about the machine: `ask NAME` gives a fixed text,
# and a `kamal secrets` command gives the words it was split into, shell-escaped, as `fetch --inline` would.
require "json"
require "shellwords"
require "dotenv"

ANSWERS = { "one" => "1\n", "two words" => "a b\n", "lines" => "a\nb\n\n", "empty" => "", "crlf" => "a\r\n", "json" => %({"A":"x y","B":"q\\"r"}\n), "word" => "plain" }
ENVIRONMENT = { "HOME" => "/home/me", "OTHER" => "from env", "EMPTY" => "", "A" => "env a", "KAMAL_REGISTRY_PASSWORD" => "p4ss" }

module Answering
  def self.call(value, env)
    value.gsub(/(?<backslash>\\)?\$(?<cmd>\((?:[^()]|\g<cmd>)+\))/) do
      match = Regexp.last_match
      next match[0][1..] if match[:backslash]
      line = Dotenv::Substitutions::Variable.call(match[:cmd][1..-2], env)
      if line =~ /\A\s*kamal\s*secrets\s+/
        JSON.generate(line.shellsplit[1..]).shellescape.chomp
      else
        ANSWERS.fetch(line.sub(/\A\s*ask /, "")) { "<#{line}>" }.chomp
      end
    end
  end
end
Dotenv::Parser.substitutions.map! { |s| s == Dotenv::Substitutions::Command ? Answering : s }

TEXTS = [
  "", "\n", "# c\n", "A", "A\n", "A=", "A=\n", "A= \n", "A=1", "A=1\n", " A=1\n", "\tA=1\n", "A =1\n", "A= 1\n", "A = 1\n", "A=1 \n", "A  =  1  \n", "A=1 2\n", "A=1  2 \n", "A:1\n", "A: 1\n", "A:  1\n", "A : 1\n", "A:\t1\n", "A: \n", "A:\n", "A: # c\n", "A=:1\n", "A==1\n", "A=1=2\n", "A = = 1\n",
  "A.B=1\n", "1A=1\n", "A-B=1\n", "A B=1\n", "-x=1\n", "foo bar\n", "B:y\n", "FOO BAR=1\n", "a=1\n", "_=1\n", ".=1\n", "Ä=1\n", "AÄ=1\n", "=1\n", ":1\n", "A+=1\n", "A?=1\n", "A[0]=1\n", "if [ x ]; then\n", "A=1; B=2\n", "A=1 B=2\n", "A=1 && x\n",
  "export A=1\n", "export  A=1\n", "export\tA=1\n", " export A=1\n", "exportA=1\n", "export A: 1\n", "export A\n", "export A", "A=1\nexport A\n", "export A # c\n", "export A=\n", "export=1\n", "export = 1\n", "export\nA=1\n", "export export=1\n", "export A B\n", "A=1\n\nexport A\n\nB=2\n", "export A\n\n\nB=1\n", "export A\n# c\nB=1\n",
  "A=1\nB=2\n", "A=1\n\n\nB=2\n", "A=1\n# c\nB=2\n", "A=1\nA=2\n", "A=1\nB=x\nA=2\n", "A=1\r\nB=2\r\n", "A=1\rB=2\r", "\uFEFFA=1\n", "A=1\n\uFEFFB=2\n", "A=1\nfoo bar\nB=2\n", "A\nB\n", "A\nB=1\n", "A=\nB=1\n", "A:\nB=1\n", "A: \nB=1\n", "A=\n\nB=1\n", "A\n=1\n",
  "A=a#b\n", "A=a #b\n", "A=a # b\n", "A=#b\n", "A= #b\n", "A='a#b'\n", "A=\"a#b\"\n", "A='a' # b\n", "A=\"a\" # b\n", "A='a'# b\n", "A=\"a\"#b\n", "A='a' b\n", "A=\"a\"b\n", "A=a'b'\n", "A=a\"b\"c\n", "A='a'b'c'\n", "A=\"a\"b\"c\"\n", "A=\"a\" \"b\"\n", "A='a' 'b'\n", "A='a\" \n", "A=\"a'\n", "A='a\n", "A=\"a\n", "A='\n", "A=\"\n", "A=''\n", "A=\"\"\n", "A=' '\n", "A=\" a \"\n", "A= 'a' \n", "A='''\n", "A=\"\"\"\n", "A='a''b'\n",
  "A='a\nb'\n", "A=\"a\nb\"\n", "A=\"a\nb\"\nB=1\n", "A='a\nB=1\nc'\nD=2\n", "A=\"a\n\nb\" # c\nB=1\n", "A='a\nB=1\n", "A=\"a\nB=1\n", "A='a\nB='b'\n", "A=\n'b'\n", "A=\n\"b\"\n", "A=\n\n'b'\nC=1\n", "A:\n'b'\n", "A=\n  'b' # c\n", "A=\nB='c'\n", "A=\n'b' x\nB=1\n", "A: 'b\nc'\n",
  "A='a\\'b'\n", "A='a\\'\n", "A='a\\\\'\n", "A='a\\nb'\n", "A=\"a\\\"b\"\n", "A=\"a\\\"\n", "A=\"a\\\\\"\n", "A=\"a\\\\b\"\n", "A=\"a\\bc\"\n", "A=\"a\\nb\"\n", "A=\"a\\\\nb\"\n", "A=\"a\\\\\\nb\"\n", "A=\"a\\tb\"\n", "A=\"a\\rb\"\n", "A=\"\\n\"\n", "A=a\\nb\n", "A=a\\\\nb\n", "A=a\\b\n", "A=a\\\\b\n", "A=a\\ b\n", "A=a\\#b\n", "A=a\\\n", "A=\\'a\\'\n", "A=\\\"a\\\"\n", "A=\"a\\\nb\"\n", "A=\"a\\'b\"\n", "A='\\$HOME'\n", "A=\"a\\\" # b\"\n", "A='a\\' # b'\n", "A=\"a\\\"b\\\"c\"\n", "A='it\\'s' # it's\n",
  "DOTENV_LINEBREAK_MODE=legacy\nA=\"a\\nb\"\n", "DOTENV_LINEBREAK_MODE=legacy\nA=\"a\\rb\\\\nc\"\n", "DOTENV_LINEBREAK_MODE=legacy\nA=a\\nb\n", "DOTENV_LINEBREAK_MODE=legacy\nA='a\\nb'\n", "DOTENV_LINEBREAK_MODE=strict\nA=\"a\\nb\"\n", "A=\"a\\nb\"\nDOTENV_LINEBREAK_MODE=legacy\n",
  "A=$HOME\n", "A=${HOME}\n", "A=\"$HOME\"\n", "A='$HOME'\n", "A=$HOME/x\n", "A=x$HOME\n", "A=${HOME}x\n", "A=$HOMEx\n", "A=$NOPE\n", "A=a${NOPE}b\n", "A=$A\n", "B=$A\n", "A=1\nB=$A\n", "A=1\nB=$A\nA=2\nC=$B$A\n", "B=$A\nA=1\n", "A=$home\n", "A=$Home\nHome=1\nB=$Home\n", "A=$1\n", "A=$\n", "A=$ x\n", "A=a$\n", "A=$$\n", "A=$$HOME\n", "A=$$$HOME\n", "A=$-x\n", "A=${}\n", "A=${\n", "A=$}\n", "A=${HOME\n", "A=$HOME}\n", "A={$HOME}\n", "A=${HOME}}\n", "A=${HOME:-x}\n", "A=${NOPE:-x}\n", "A=${HOME.x}\n", "A=$HOME.x\n", "A=$HOME-x\n", "A=$HOME$OTHER\n", "A=$HOME$\n", "A=\\$HOME\n", "A=\\${HOME}\n", "A=\"\\$HOME\"\n", "A=\\\\$HOME\n", "A=\"\\\\$HOME\"\n", "A=\\\\\\$HOME\n", "A=\\$\n", "A=a\\$b\n", "A=p4$$w0rd\n", "A=$EMPTY\n", "EMPTY=x\nA=$EMPTY\n", "A=\nB=x$A\n", "A=a$b$c\nb=1\n", "A=${HO ME}\n", "A=$ÄB\n", "A.B=1\nC=$A.B\n", "A=1\nB=${A}${A}\n",
  "A=$(ask one)\n", "A=\"$(ask one)\"\n", "A='$(ask one)'\n", "A=x$(ask one)y\n", "A=$(ask one)$(ask word)\n", "A=$(ask one) $(ask word) tail\n", "A=\"$(ask one) - $(ask word) tail\"\n", "A=$(ask two words)\n", "A=$(ask lines)\n", "A=$(ask empty)\n", "A=$(ask crlf)\n", "A=$( ask one )\n", "A=$(ask $HOME)\n", "A=$(ask ${HOME}/x)\n", "B=one\nA=$(ask $B)\n", "A=$(ask \"$HOME\")\n", "A=$(ask '$HOME')\n", "A=$(ask \\$HOME)\n", "A=\"$(ask \\$HOME)\"\n", "A=$(ask (a))\n", "A=$(ask (a (b)) c)\n", "A=$(ask (a)\n", "A=$(ask a))\n", "A=$()\n", "A=$(\n", "A=$(ask ())\n", "A=$)\n", "A=\\$(ask one)\n", "A=\"\\$(ask one)\"\n", "A=\\$(ask $HOME)\n", "A=\\$(ask one) $(ask one)\n", "A=$(ask one) \\$(ask one)\n", "A=\\$(\n", "A=$(ask a | b)\n", "A=$(ask a#b)\n", "A=\"$(ask a#b)\"\n", "A=\"$(ask a # b)\"\n", "A=`ask one`\n", "A=$(ask \"a\")\n", "A=\"$(ask \"a\")\"\n", "A=\"$(ask \"a\") # c\"\n", "A=\"$(ask \\\"a\\\")\"\n", "A=$(ask 'a')\n", "A='$(ask 'a')'\n", "A=$(ask\none)\n", "A=\"$(ask\none)\"\n", "A=$(ask $(ask one))\n", "A=$$(ask one)\n", "A=$(ask a)$HOME\n", "A=$HOME$(ask a)\n", "A=$(ask a\\\\b)\n", "A=\"$(ask a\\\\b)\"\n", "A=\"$(ask a\\nb)\"\n", "A=$(ask one)#x\n", "A=$(ask one) # x\n", "A: $(ask one)\n", "export A=$(ask one)\n", "A=a\"$(ask one)\"\n",
  "A=$(kamal secrets extract X)\n", "A=$( kamal secrets extract X )\n", "A=$(kamal  secrets  extract X)\n", "A=$(kamalsecrets extract X)\n", "A=$(kamal secrets)\n", "A=$(bin/kamal secrets extract X)\n", "A=$(bundle exec kamal secrets extract X)\n", "A=$(kamal secrets extract \"X Y\")\n", "A=$(kamal secrets extract X | cat)\n", "A=$(kamal secrets extract 'X' $HOME)\n", "S=$(kamal secrets fetch -a x y)\nA=$(kamal secrets extract A $S)\n", "S=$(kamal secrets fetch -a x y)\nA=$(kamal secrets extract A ${S})\nB=$(kamal secrets extract B \"${S}\")\n", "A=\"$(kamal secrets extract X)\"\n", "A=\"$(kamal secrets extract \\\"X Y\\\")\"\n", "A=$(kamal secrets fetch --adapter 1password --account acc --from Vault/Item A B C)\n", "A=$(kamal secrets print)\n", "A=$(kamal config)\n", "A=$(kamal secrets extract \"A(B)\")\n", "SECRETS=$(kamal secrets fetch --adapter test --account a --from f A B)\n\n# c\nKAMAL_REGISTRY_PASSWORD=$(kamal secrets extract A ${SECRETS})\nRAILS_MASTER_KEY=$(kamal secrets extract B ${SECRETS})\n",
  "KAMAL_REGISTRY_PASSWORD=$KAMAL_REGISTRY_PASSWORD\nRAILS_MASTER_KEY=$(ask word)\n", "GITHUB_TOKEN=$(ask gh config get -h github.com oauth_token)\nX=${GITHUB_TOKEN}\n", "KEY=\"-----BEGIN KEY-----\nabc+/=\n-----END KEY-----\"\nB=1\n", "URL=postgres://u:p@h:5432/db?x=1&y=2\n", "URL=\"postgres://u:${OTHER}@h/db#frag\"\n", "A=é日本🚀\n", "A=\"é\\é\"\n", "A=a\u00a0\n", "A=\u00a0a\n", "A=a\tb\n", "A=%d %s\n", "A=!x\n", "A=*\n", "A=~/x\n", "A=[1, 2]\n", "A={\"a\": \"b\"}\n", "A='{\"a\": \"b\"}'\n", "A=\"{\\\"a\\\": \\\"b\\\"}\"\n", "A=a;b\n", "A=a&b\n", "A=a|b\n", "A=<b>\n", "A=true\n", "A=1.0\n", "A=base64==\n",
]

def read(text, overwrite)
  string = text.delete_prefix("\uFEFF")
  { "text" => text, "overwrite" => overwrite, "value" => Dotenv::Parser.call(string, overwrite: overwrite).to_a }
rescue Dotenv::FormatError => e
  { "text" => text, "overwrite" => overwrite, "error" => e.message }
rescue ArgumentError => e
  { "text" => text, "overwrite" => overwrite, "error" => e.message }
end

ENV.replace(ENVIRONMENT)
cases = TEXTS.uniq.flat_map { |text| [read(text, true), read(text, false)] }
File.write(File.join(__dir__, "cases.json"), "{\"env\": #{JSON.generate(ENVIRONMENT)},\n\"answers\": #{JSON.generate(ANSWERS)},\n\"cases\": [\n" + cases.map { |c| JSON.generate(c) }.join(",\n") + "\n]}\n")
warn "#{cases.size} cases, #{cases.count { |c| c["error"] }} of them errors (dotenv #{Dotenv::VERSION})"
