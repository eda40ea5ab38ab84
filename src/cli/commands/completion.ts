import { Argument } from 'commander';
import type { Command } from '../command-tree.ts';
import { Completer } from '../completion.ts';
import type { CommandSetting } from '../invocation.ts';

/*
 * The scripts ask the program itself what fits (`gantry complete -- WORDS`), so they never grow old. It answers a line
 * per candidate, the word and its meaning with a tab between them, and `:files` where names of files fit.
 */

const bashScript = `# Completion for bash; for every new shell: gantry completion bash > /etc/bash_completion.d/gantry
_gantry() {
  local line
  COMPREPLY=()
  while IFS= read -r line; do
    if [[ $line == :files ]]; then
      compopt -o default 2>/dev/null
      while IFS= read -r line; do COMPREPLY+=("$line"); done < <(compgen -f -- "\${COMP_WORDS[COMP_CWORD]}")
    else
      COMPREPLY+=("\${line%%$'\\t'*}")
    fi
  done < <("\${COMP_WORDS[0]}" complete -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -F _gantry gantry
`;

const zshScript = `#compdef gantry
# Completion for zsh; for every new shell: gantry completion zsh > "\${fpath[1]}/_gantry"
_gantry() {
  local line word about
  local -a candidates
  local -i files=0
  for line in "\${(@f)$("\${words[1]}" complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)}"; do
    if [[ $line == :files ]]; then
      files=1
    elif [[ -n $line ]]; then
      word=\${\${line%%$'\\t'*}//:/\\\\:}
      about=\${line#*$'\\t'}
      candidates+=("$word\${about:+:$about}")
    fi
  done
  (( \${#candidates} )) && _describe -V gantry candidates
  (( files )) && _files
}
if [[ \${zsh_eval_context[-1]} == loadautofunc ]]; then
  _gantry "$@"
else
  compdef _gantry gantry
fi
`;

const fishScript = `# Completion for fish; for every new shell: gantry completion fish > ~/.config/fish/completions/gantry.fish
function __gantry_complete
    set -l typed (commandline -opc) (commandline -ct)
    for line in ($typed[1] complete -- $typed[2..-1] 2>/dev/null)
        if test "$line" = :files
            __fish_complete_path (commandline -ct)
        else
            echo $line
        end
    end
end
complete -c gantry -f -k -a '(__gantry_complete)'
`;

const scripts = { bash: bashScript, zsh: zshScript, fish: fishScript };

/** `gantry completion SHELL` and, for the scripts it prints, `gantry complete`. */
export function addCompletionCommand(program: Command, setting: CommandSetting): void {
  const { stdout } = setting.terminal;
  program
    .command('completion')
    .addArgument(new Argument('<shell>').choices(Object.keys(scripts)))
    .description('print a script that completes commands, options and names in a shell')
    .example('source <(gantry completion bash)', 'gantry completion fish | source')
    .action((shell: keyof typeof scripts) => {
      stdout.write(scripts[shell]);
    });
  program
    .command('complete', { hidden: true })
    .argument('[words...]', 'what is typed, after --; the last one is at the cursor')
    .description('print completions at the cursor, for the scripts of `gantry completion`')
    .action(async (words: readonly string[]) => {
      const { candidates, takesFiles } = await new Completer(program, setting).complete(words);
      const lines = candidates.map(({ word, about }) => `${word}\t${about}`);
      stdout.write([...lines, ...(takesFiles ? [':files'] : [])].map((line) => `${line}\n`).join(''));
    });
}
