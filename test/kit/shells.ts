import { spawnSync } from 'node:child_process';
import { cleanEnvironment, runProgram } from './program.ts';

/** Whether a program is there. */
export function hasProgram(name: string): boolean {
  return spawnSync('sh', ['-c', `command -v ${name}`]).status === 0;
}

/** What each shell does to complete a line, as its completion of every command line is driven. */
const drivers = {
  bash: [
    'source <("$GANTRY" completion bash)',
    'for line in "$@"; do',
    '  read -ra COMP_WORDS <<< "$line"; COMP_WORDS[0]="$GANTRY"',
    '  [[ $line == *" " ]] && COMP_WORDS+=("")',
    '  COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _gantry; echo "${COMPREPLY[*]}"',
    'done',
  ].join('\n'),
  // what zsh gives completion functions exists only while a line is edited; these stand for it
  zsh: [
    'gantry() { command $GANTRY "$@" }',
    'compdef() { : }',
    '_files() { : }',
    '_describe() { local -a list=("${(@P)${@[-1]}}"); offered=("${(@)list%%:*}") }',
    'eval "$(gantry completion zsh)"',
    'for line in "$@"; do',
    '  words=("${(@z)line}"); [[ $line == *" " ]] && words+=("")',
    '  CURRENT=$#words; offered=(); _gantry; print -r -- "$offered"',
    'done',
  ].join('\n'),
  fish: [
    'function gantry; command $GANTRY $argv; end',
    'gantry completion fish | source',
    'for line in $argv',
    `  echo (complete -C $line | string replace -r '\\t.*' '')`,
    'end',
  ].join('\n'),
} as const;

/** How each shell is started to run its driver with the lines as arguments. */
const starts: Readonly<Record<keyof typeof drivers, readonly string[]>> = {
  bash: ['--norc', '-c', drivers.bash, 'bash'],
  zsh: ['-f', '-c', drivers.zsh, 'zsh'],
  fish: ['--no-config', '-c', drivers.fish],
};

/**
 * What a shell offers for lines that end at the cursor, one list of words each.
 * @param program that is completed
 */
export async function completedBy(
  shell: keyof typeof drivers,
  program: string,
  lines: readonly string[],
  environment: Readonly<Record<string, string>>,
): Promise<string[][]> {
  const { stdout, stderr, code } = await runProgram(shell, [...starts[shell], ...lines], {
    environment: cleanEnvironment({ ...environment, GANTRY: program }),
  });
  if (code !== 0) {
    throw new Error(`${shell} ended with ${String(code)}: ${stderr}`);
  }
  return stdout
    .trimEnd()
    .split('\n')
    .map((line) => line.split(' ').filter(Boolean));
}
