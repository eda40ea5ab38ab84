import { Argument } from 'commander';
import type { Command } from 'commander';
import type { CommandSetting } from '../invocation.ts';

interface Entry {
  /** Words before it, e.g. `blueprints upload`; empty for the program itself. */
  path: string;
  words: readonly string[];
  descriptions: ReadonlyMap<string, string>;
}

/** Every command with the words that may follow it. */
function entriesOf(command: Command, path: readonly string[] = []): Entry[] {
  const descriptions = new Map<string, string>();
  for (const child of command.commands) {
    descriptions.set(child.name(), child.description());
  }
  for (const option of command.options) {
    descriptions.set(option.long ?? option.flags, option.description);
  }
  const own: Entry = { path: path.join(' '), words: [...descriptions.keys()], descriptions };
  return [own, ...command.commands.flatMap((child) => entriesOf(child, [...path, child.name()]))];
}

function bashScript(entries: readonly Entry[]): string {
  const cases = entries.map((entry) => `    "${entry.path}") words="${entry.words.join(' ')}" ;;`).join('\n');
  return `# gantry completion bash > /etc/bash_completion.d/gantry
_gantry() {
  local path="" word words="" i
  for ((i = 1; i < COMP_CWORD; i++)); do
    word="\${COMP_WORDS[i]}"
    [[ $word == -* ]] && continue
    path="\${path:+$path }$word"
  done
  while :; do
    case "$path" in
${cases}
    esac
    [[ -n $words || $path != *" "* ]] && break
    path="\${path% *}"
  done
  COMPREPLY=($(compgen -W "$words" -- "\${COMP_WORDS[COMP_CWORD]}"))
  [[ \${#COMPREPLY[@]} -eq 0 ]] && COMPREPLY=($(compgen -f -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -F _gantry gantry
`;
}

function zshScript(entries: readonly Entry[]): string {
  const quote = (text: string) => text.replaceAll("'", "'\\''").replaceAll(':', '\\:');
  const cases = entries
    .map((entry) => {
      const words = [...entry.descriptions].map(([word, text]) => `'${quote(word)}:${quote(text)}'`).join(' ');
      return `    "${entry.path}") choices=(${words}) ;;`;
    })
    .join('\n');
  return `#compdef gantry
# gantry completion zsh > "\${fpath[1]}/_gantry"
_gantry() {
  local -a typed choices
  typed=(\${(@)words[2,CURRENT-1]:#-*})
  local path="\${(j: :)typed}"
  choices=()
  while :; do
    case "$path" in
${cases}
    esac
    [[ \${#choices} -gt 0 || "$path" != *" "* ]] && break
    path="\${path% *}"
  done
  _describe command choices || _files
}
compdef _gantry gantry
`;
}

function fishScript(entries: readonly Entry[]): string {
  const quote = (text: string) => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
  const lines = entries.flatMap((entry) => {
    const condition = entry.path === '' ? '__fish_use_subcommand' : `__gantry_at ${quote(entry.path)}`;
    return [...entry.descriptions].map(([word, text]) => {
      const what = word.startsWith('--') ? `-l ${word.slice(2)}` : `-a ${quote(word)}`;
      return `complete -c gantry -n ${quote(condition)} ${what} -d ${quote(text)}`;
    });
  });
  return `# gantry completion fish > ~/.config/fish/completions/gantry.fish
function __gantry_at
    set -l typed (string match -v -- '-*' (commandline -opc))[2..-1]
    string match -q -- "$argv[1]*" (string join ' ' $typed)
end
${lines.join('\n')}
`;
}

/** `gantry completion SHELL`: prints a script made from the commands themselves. */
export function addCompletionCommand(program: Command, setting: CommandSetting): void {
  program
    .command('completion')
    .addArgument(new Argument('<shell>').choices(['bash', 'zsh', 'fish']))
    .description('print a script that completes commands and options')
    .addHelpText('after', '\nExample:\n  source <(gantry completion bash)')
    .action((shell: 'bash' | 'zsh' | 'fish') => {
      const entries = entriesOf(program);
      const scripts = { bash: bashScript, zsh: zshScript, fish: fishScript };
      setting.terminal.stdout.write(scripts[shell](entries));
    });
}
