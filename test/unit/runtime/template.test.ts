import { expect } from 'chai';
import { NonRecoverableError } from '../../../src/runtime/sdk.ts';
import { renderTemplate, usesContext } from '../../../src/runtime/template/render.ts';

const variables = {
  name: 'World',
  flag: true,
  nothing: null,
  number: 1.5,
  list: ['a', 'b', 'c'],
  map: { key: 'value', items_: [1], nested: { deep: [{ x: 'y' }] } },
};

describe('Templates', () => {
  const cases: [string, string][] = [
    ['plain {text}', 'plain {text}'],
    ['Hello {{ name }}!', 'Hello World!'],
    ['{{ flag }} {{ nothing }} {{ number }}', 'True None 1.5'],
    ['{{ list }} {{ map.nested }}', "['a', 'b', 'c'] {'deep': [{'x': 'y'}]}"],
    ['{{ missing }}|{{ missing.deeper }}', '|'],
    ["{{ map['key'] }}{{ map.nested.deep[0].x }}{{ list[-1] }}", 'valueyc'],
    ['{% for item in list %}{{ item }}{% if not loop.last %},{% endif %}{% endfor %}', 'a,b,c'],
    ['{% for key, value in map.items() %}{{ key }};{% endfor %}', 'key;items_;nested;'],
    ["{{ map.get('nope', 'default') }} {{ map.has_key('key') }}", 'default True'],
    ["{{ name.upper() }} {{ ' x '.strip() }} {{ 'a,b'.split(',')[1] }} {{ '-'.join(list) }}", 'WORLD x b a-b-c'],
    ['{{ list[1:] }} {{ name[:2] }}', "['b', 'c'] Wo"],
    [
      "{{ name | lower }} {{ list | join('+') }} {{ missing | default('d') }} {{ map.nested | tojson }}",
      'world a+b+c d {"deep":[{"x":"y"}]}',
    ],
    ['{% if flag == True and nothing == None %}yes{% endif %}', 'yes'],
    ['{# comment #}text\n', 'text'],
    ['{{ "<&>" }}', '<&>'],
    ['{%- if flag %}\n a\n{%- endif %}', '\n a'],
  ];
  for (const [template, expected] of cases) {
    it(`render ${JSON.stringify(template)}`, () => {
      expect(renderTemplate(template, variables)).to.equal(expected);
    });
  }

  const attacks = [
    "{{ ''.constructor.constructor('return process')() }}",
    "{{ range.constructor('return process')() }}",
    "{{ map.get('constructor')('x') }}",
    "{{ map.__proto__.update({'x': 1}) }}",
    '{{ list.map(name.constructor) }}',
    "{{ cycler.constructor('x')() }}",
    "{{ joiner()['constructor']('return 1')() }}",
    "{{ (list | first)['constructor']['constructor']('return 1')() }}",
    "{% set x = map.pop('key') %}{{ x }}",
    "{% include '/etc/passwd' %}",
    "{% import 'x' as y %}",
  ];
  for (const template of attacks) {
    it(`reach nothing by ${template}`, () => {
      expect(() => renderTemplate(template, structuredClone(variables))).to.throw(NonRecoverableError);
      expect(Reflect.get({}, 'x')).to.equal(undefined);
    });
  }

  it('name the place of a mistake', () => {
    expect(() => renderTemplate('a\n{% if %}', {})).to.throw(/could not be rendered.*Line 2/);
  });

  it('look at the context only when they name it', () => {
    expect(usesContext('{{ ctx.node.id }}')).to.equal(true);
    expect(usesContext('{{ context }}')).to.equal(false);
  });
});
