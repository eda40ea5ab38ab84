import { clientMethods, differences, unwalked } from '../compat/client_walk/methods.ts';

/** The page that lists every method of the Python client, whether it is called in the tests, and how its answer differs. */
export function pythonClientPage(note: string): string {
  const rows = clientMethods.map((method) => {
    const reason = unwalked[method];
    return `| \`client.${method}\` | ${reason === undefined ? 'works' : `not called: ${reason}`} | ${differences[method] ?? ''} |`;
  });
  return [
    note,
    '# Methods of the Python client',
    '',
    'The unmodified `cloudify_rest_client` of `cloudify-common` 7.0.5 from PyPI is walked over against the manager, method by',
    'method (`test/compat/client_walk`). `works` means that the method was called and its answer checked, every property of the',
    "client's own class for it included; what people may not do (403) or what has nothing to act on (409) was checked to be refused.",
    '',
    '| method | with Gantry | differs how |',
    '|---|---|---|',
    ...rows,
    '',
  ].join('\n');
}
