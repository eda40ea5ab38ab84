import type { BlueprintProblem } from './problem.ts';

export interface SarifOptions {
  /** Version of the program that reports. */
  readonly version: string;
  /** URI reference of a file as problems name it. */
  readonly uriOf: (file: string) => string;
}

interface Rule {
  readonly id: string;
  readonly shortDescription: { readonly text: string };
}

/** What the classes of mistakes are about. */
const descriptions: Readonly<Record<string, string>> = {
  DSLParsingException: 'The blueprint cannot be read',
  DSLParsingLogicException: 'The blueprint contradicts itself',
  DSLParsingFormatException: 'The blueprint does not have the shape the language asks for',
  DSLParsingInputTypeException: 'A text or an input cannot be taken',
  InvalidBlueprintImport: 'An import is wrong',
  ConstraintException: 'A value breaks a constraint',
  FunctionValidationError: 'An intrinsic function is used wrongly',
  UnknownInputError: 'There is no such input',
};

const ruleOf = ({ class: className, code }: BlueprintProblem): string =>
  code === null ? className : `${className}/${String(code)}`;

/**
 * Problems as a SARIF 2.1.0 log, which code hosts and editors show beside the lines.
 *
 * @returns a JSON document; with no problems it has no results, which says that everything was checked
 */
export function sarifLog(problems: readonly BlueprintProblem[], { version, uriOf }: SarifOptions): object {
  const rules: Rule[] = [];
  const positions = new Map<string, number>();
  for (const problem of problems) {
    const id = ruleOf(problem);
    if (!positions.has(id)) {
      positions.set(id, rules.length);
      rules.push({ id, shortDescription: { text: descriptions[problem.class] ?? problem.class } });
    }
  }
  return {
    $schema: 'https://json.schemastore.org/sarif-2.1.0.json',
    version: '2.1.0',
    runs: [
      {
        tool: { driver: { name: 'gantry', version, rules } },
        columnKind: 'utf16CodeUnits',
        results: problems.map((problem) => resultOf(problem, positions.get(ruleOf(problem)) ?? 0, uriOf)),
      },
    ],
  };
}

function resultOf(problem: BlueprintProblem, ruleIndex: number, uriOf: (file: string) => string): object {
  const { message, remedy, file, line, column, path, excerpt, value } = problem;
  const snippet = excerpt?.split('\n')[0];
  const region =
    line === null
      ? {}
      : {
          region: {
            startLine: line,
            ...(column === null ? {} : { startColumn: column }),
            ...(snippet === undefined ? {} : { snippet: { text: snippet } }),
          },
        };
  const physicalLocation =
    file === null ? {} : { physicalLocation: { artifactLocation: { uri: uriOf(file) }, ...region } };
  const logicalLocations = path ? { logicalLocations: [{ fullyQualifiedName: path }] } : {};
  return {
    ruleId: ruleOf(problem),
    ruleIndex,
    level: 'error',
    message: { text: remedy === null ? message : `${message}\n${remedy}` },
    locations: file === null && !path ? [] : [{ ...physicalLocation, ...logicalLocations }],
    ...(value === null ? {} : { properties: { value } }),
  };
}
