import type { Command } from '../command-tree.ts';
import { command } from '../invocation.ts';
import type { CommandSetting } from '../invocation.ts';
import { programVersion } from './status.ts';

/** `gantry lsp` */
export function addLanguageCommand(program: Command, setting: CommandSetting): void {
  program
    .command('lsp')
    .option('--stdio', 'communicate over standard input and output (the default)')
    .description(
      'run the language server for editors: problems, completion, documentation, navigation and renaming in blueprints',
    )
    .addHelpText('after', '\nHow to set up an editor: docs/language-tools.md')
    .action(
      command(setting, async () => {
        const { serveLanguage } = await import('../../language-server/server.ts');
        await serveLanguage({
          input: process.stdin,
          output: process.stdout,
          version: await programVersion(),
          signal: setting.signal,
        });
      }),
    );
}
