import { expect } from 'chai';
import { DslError, logicError } from '../../../src/dsl/errors.ts';
import { describeProblems, problemsOf } from '../../../src/dsl/report/problem.ts';
import { sarifLog } from '../../../src/dsl/report/sarif.ts';

function wrongBlueprint(): DslError {
  const location = { file: 'a.yaml', line: 4, column: 2, path: 'node_templates.a', value: 'x', excerpt: '  x\n  ^' };
  const first = logicError(7, 'No such type', { location, remedy: "Did you mean 'y'?" });
  const same = logicError(7, 'No such type', { location });
  first.others = [same, new DslError('UnknownInputError', 'No such input')];
  return first;
}

describe('problems of a blueprint', () => {
  it('have every field, each problem once', () => {
    const problems = problemsOf(wrongBlueprint(), 'main.yaml', (file) => `./${file}`);
    expect(problems).to.have.length(2);
    expect(problems[0]).to.include({
      class: 'DSLParsingLogicException',
      code: 7,
      file: './a.yaml',
      line: 4,
      column: 3,
    });
    expect(problems[0]).to.include({ path: 'node_templates.a', value: 'x', remedy: "Did you mean 'y'?" });
    expect(problems[1]).to.include({ class: 'UnknownInputError', code: null, file: './main.yaml', line: null });
  });

  it('name places in lists by their position in brackets', () => {
    const location = { file: 'a.yaml', path: 'node_templates.web.relationships.0.target' };
    const [problem] = problemsOf(logicError(25, 'No such node', { location }), 'a.yaml');
    expect(problem?.path).to.equal('node_templates.web.relationships[0].target');
  });

  it('read for people with one place, as editors count it', () => {
    const error = wrongBlueprint();
    const text = describeProblems(problemsOf(error, 'main.yaml'));
    expect(text).to.contain(
      "a.yaml:4:3: No such type\n  path: node_templates.a\n  value: x\n      x\n      ^\n  hint: Did you mean 'y'?",
    );
    expect(text).not.to.contain('in line');
    expect(text).to.contain('main.yaml: No such input');
  });

  it('are results of a SARIF log with one rule per kind', () => {
    const log = sarifLog(problemsOf(wrongBlueprint(), 'main.yaml'), { version: '1.0.0', uriOf: (file) => `x/${file}` });
    const [run] = (log as { runs: { tool: { driver: { rules: { id: string }[] } }; results: object[] }[] }).runs;
    expect(log).to.include({ version: '2.1.0' });
    expect(run?.tool.driver.rules.map(({ id }) => id)).to.deep.equal([
      'DSLParsingLogicException/7',
      'UnknownInputError',
    ]);
    expect(run?.results[0]).to.deep.include({
      ruleId: 'DSLParsingLogicException/7',
      ruleIndex: 0,
      level: 'error',
      locations: [
        {
          physicalLocation: {
            artifactLocation: { uri: 'x/a.yaml' },
            region: { startLine: 4, startColumn: 3, snippet: { text: '  x' } },
          },
          logicalLocations: [{ fullyQualifiedName: 'node_templates.a' }],
        },
      ],
    });
  });
});
