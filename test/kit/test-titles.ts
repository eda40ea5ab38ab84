import ts from 'typescript';

/** The text of a string literal in source code; undefined for anything that is put together when it runs. */
function literalText(node: ts.Node | undefined): string | undefined {
  return node !== undefined && ts.isStringLiteralLike(node) ? node.text : undefined;
}

function isCallOf(node: ts.Node, name: string): node is ts.CallExpression {
  return ts.isCallExpression(node) && ts.isIdentifier(node.expression) && node.expression.text === name;
}

/**
 * The full titles of the tests in a file: those of `describe` around and that of `it`, with colons between. Where the title
 * of a test comes out of a table, every sentence in the `describe` around and at the top of the file counts as one, but for
 * those inside of tests.
 * @param source TypeScript
 */
export function testTitles(source: string): ReadonlySet<string> {
  const titles = new Set<string>();
  const visit = (node: ts.Node, path: readonly string[], around: ts.Node): void => {
    if (isCallOf(node, 'describe')) {
      const title = literalText(node.arguments[0]);
      const body = node.arguments[1];
      if (title !== undefined && body) {
        visit(body, [...path, title], body);
      }
      return;
    }
    if (isCallOf(node, 'it')) {
      const [argument] = node.arguments;
      const title = literalText(argument);
      const found =
        title !== undefined
          ? [title]
          : argument && ts.isIdentifier(argument)
            ? [...textsIn(around), ...textsIn(file)]
            : [];
      found.forEach((text) => titles.add([...path, text].join(': ')));
      return;
    }
    ts.forEachChild(node, (child) => visit(child, path, around));
  };
  const file = ts.createSourceFile('test.ts', source, ts.ScriptTarget.Latest, true);
  visit(file, [], file);
  return titles;
}

/** The sentences in a part of a file, without those of tests and, at the top of the file, of any `describe`. */
function textsIn(part: ts.Node): string[] {
  const texts: string[] = [];
  const visit = (child: ts.Node): void => {
    const text = literalText(child);
    if (text?.includes(' ')) {
      texts.push(text);
    }
    if (!isCallOf(child, 'it') && !isCallOf(child, 'describe')) {
      ts.forEachChild(child, visit);
    }
  };
  visit(part);
  return texts;
}
