import { expect } from 'chai';
import { compareVersions, parseSpecifiers } from '../../../src/domain/version-specifiers.ts';

describe('version specifiers', () => {
  it('orders versions', () => {
    const ordered = ['junk', '1.0.dev1', '1.0a1', '1.0b2', '1.0rc1', '1.0', '1.0.post1', '1.0.1', '1.10', '2', '1!0.1'];
    const shuffled = [...ordered].sort((left, right) => left.length - right.length || (left < right ? 1 : -1));
    expect(shuffled.sort(compareVersions)).to.deep.equal(ordered);
  });

  it('takes trailing zeros for nothing', () => {
    expect(compareVersions('1', '1.0.0')).to.equal(0);
  });

  const cases: [string, string[], string[]][] = [
    ['1.2', ['1.2'], ['1.2.0', '1.3']],
    ['==1.2', ['1.2', '1.2.0', '1.2+local'], ['1.2.1']],
    ['==1.2.*', ['1.2', '1.2.7', '1.2rc1'], ['1.3']],
    ['!=1.2.*', ['1.3'], ['1.2.7']],
    ['>=1.2,<2', ['1.2', '1.9.9'], ['1.1', '2', '2.0rc1']],
    ['>1.2', ['1.2.1', '1.3'], ['1.2', '1.2.post1']],
    ['<=1.2', ['1.2', '1.2rc1'], ['1.2.1']],
    ['~=1.4.2', ['1.4.2', '1.4.9'], ['1.5', '1.4.1']],
    ['~=1.4', ['1.4', '1.9'], ['2.0', '1.3']],
    [' >= 1.22.1', ['1.22.1', '2'], ['1.22']],
  ];
  for (const [specifiers, accepted, refused] of cases) {
    it(`reads "${specifiers}"`, () => {
      const check = parseSpecifiers(specifiers);
      expect(accepted.filter((version) => check?.(version))).to.deep.equal(accepted);
      expect(refused.filter((version) => check?.(version))).to.deep.equal([]);
    });
  }

  for (const text of ['', '>=', '~=1', '>=1.2,,<3', '>=1.*', '>= nonsense']) {
    it(`cannot read "${text}"`, () => {
      expect(parseSpecifiers(text)).to.equal(undefined);
    });
  }
});
