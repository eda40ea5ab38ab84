import type { DslError } from '../errors.ts';
import { inOrderOfPlace } from '../problems.ts';

/** A mistake in a blueprint as tools show it. Everything but class and message may be missing. */
export interface BlueprintProblem {
  readonly class: string;
  readonly code: number | null;
  readonly message: string;
  /** Path or URL of the file, as it is shown; null for text without a home. */
  readonly file: string | null;
  /** From 1. */
  readonly line: number | null;
  /** From 1. */
  readonly column: number | null;
  /** Path in the document, such as `node_templates.vm.relationships[0].target`. */
  readonly path: string | null;
  /** The value found there, as text. */
  readonly value: string | null;
  /** The line and, under it, a caret. */
  readonly excerpt: string | null;
  /** What to do about it. */
  readonly remedy: string | null;
  /** All of it for people, as {@link describeProblems} words it. */
  readonly text: string;
}

/**
 * Every mistake an error tells of, each once.
 *
 * @param fallback file of mistakes that do not say where they are, when there is one
 * @param nameFile makes the name shown of a path or URL
 */
export function problemsOf(
  error: DslError,
  fallback?: string,
  nameFile: (file: string) => string = (file) => file,
): BlueprintProblem[] {
  const problems = new Map<string, BlueprintProblem>();
  for (const each of inOrderOfPlace([error, ...error.others], fallback)) {
    const location = each.location ?? {};
    const file = location.file ?? fallback;
    const key = [each.message, file, location.line, location.column].join('\0');
    if (!problems.has(key)) {
      const problem = {
        class: each.className,
        code: each.code ?? null,
        message: each.message,
        file: file === undefined ? null : nameFile(file),
        line: location.line ?? null,
        column: location.column === undefined ? null : location.column + 1,
        path: location.path?.replaceAll(/\.(\d+)(?=\.|$)/g, '[$1]') ?? null,
        value: location.value ?? null,
        excerpt: location.excerpt ?? null,
        remedy: each.remedy ?? null,
      };
      problems.set(key, { ...problem, text: describeProblem(problem) });
    }
  }
  return [...problems.values()];
}

/**
 * Problems for people: the place as compilers and editors write it, both numbers from 1, and what is wrong there. The
 * command line prints this, and the REST service stores it as the `error` of a blueprint.
 */
export function describeProblems(problems: readonly BlueprintProblem[]): string {
  return problems.map(({ text }) => text).join('\n\n');
}

/**
 * An error of the language and everything it tells of, as {@link describeProblems} words it.
 *
 * @param fallback file of mistakes that do not say where they are, when there is one
 * @param nameFile makes the name shown of a path or URL
 */
export function describeError(error: DslError, fallback?: string, nameFile?: (file: string) => string): string {
  return describeProblems(problemsOf(error, fallback, nameFile));
}

function describeProblem(problem: Omit<BlueprintProblem, 'text'>): string {
  const { file, line, column, message, path, value, excerpt, remedy } = problem;
  const place = [file, line, column].filter((part) => part !== null).join(':');
  const lines = [place === '' ? message : `${place}: ${message}`];
  if (path) {
    lines.push(`  path: ${path}`);
  }
  if (value !== null) {
    lines.push(`  value: ${value}`);
  }
  if (excerpt !== null) {
    lines.push(...excerpt.split('\n').map((text) => `    ${text}`));
  }
  if (remedy !== null) {
    lines.push(`  hint: ${remedy}`);
  }
  return lines.join('\n');
}
