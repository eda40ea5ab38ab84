import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import ts from 'typescript';
import { packageRoot } from '../../src/config/package-root.ts';
import { buildOnce } from '../kit/program.ts';

const options: ts.CompilerOptions = {
  allowJs: true,
  checkJs: true,
  noEmit: true,
  strict: true,
  target: ts.ScriptTarget.ES2022,
  module: ts.ModuleKind.NodeNext,
  moduleResolution: ts.ModuleResolutionKind.NodeNext,
  types: [],
  skipLibCheck: true,
  // as if the package were installed beside the plugin
  paths: { 'gantry/plugin': [join(packageRoot(), 'dist', 'types', 'plugin.d.ts')] },
};

function mistakesOf(file: string): string[] {
  const program = ts.createProgram([file], options);
  return ts.getPreEmitDiagnostics(program).map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n'));
}

describe('the types of gantry/plugin', function () {
  this.timeout(60_000);
  let folder: string;

  before(async () => {
    await buildOnce();
    folder = await mkdtemp(join(tmpdir(), 'gantry-types-'));
  });
  after(async () => {
    await rm(folder, { recursive: true, force: true });
  });

  it('fit the plugin of the example', () => {
    const file = join(packageRoot(), 'blueprints', 'rolling-restart', 'plugins', 'maintenance', 'index.js');
    expect(mistakesOf(file)).to.deep.equal([]);
  });

  it('tell mistakes in a workflow', async () => {
    const file = join(folder, 'workflow.ts');
    await writeFile(
      file,
      `import type { Workflow } from 'gantry/plugin';
       export const wrong: Workflow = async (ctx) => {
         await ctx.runGraph('a', (graph) => { graph.setState(ctx.topology, 'started'); });
       };
       wrong.resumable = 'yes';`,
    );
    const mistakes = mistakesOf(file).join('\n');
    expect(mistakes).to.include("not assignable to parameter of type 'NodeInstance'");
    expect(mistakes).to.match(/is not assignable to type '(boolean|boolean \| undefined|undefined|true)'/);
  });
});
