import { expect } from 'chai';
import { createSecretBox } from '../../../src/security/secret-box.ts';
import { createSealer } from '../../../src/services/sealed.ts';

describe('what a client keeps for the manager', () => {
  const box = createSecretBox(new Map([['aaaaaaaa', Buffer.alloc(32, 1)]]), 'aaaaaaaa');
  let now = 1000;
  const clock = { now: () => now };
  const sealer = createSealer<{ name: string }>('login', { box, clock });

  it('is read again until its time is over, and fits into URLs and cookies', () => {
    const text = sealer.seal({ name: 'ada' }, 500);
    expect(text)
      .to.match(/^[A-Za-z0-9._-]+$/)
      .and.not.contain('ada');
    expect(sealer.open(text)).to.deep.equal({ name: 'ada' });
    now += 499;
    expect(sealer.open(text)).to.deep.equal({ name: 'ada' });
    now += 1;
    expect(sealer.open(text)).to.equal(undefined);
  });

  it('is nothing when it was changed, made for another purpose, or is a stored secret that looks like it', () => {
    const text = sealer.seal({ name: 'ada' }, 500);
    const secret = box.encrypt(JSON.stringify({ content: { name: 'ada' }, expiresAt: now + 500 }));
    const other = createSealer<{ name: string }>('device', { box, clock }).seal({ name: 'ada' }, 500);
    for (const wrong of ['', 'text', text.slice(1), `${text.slice(0, -3)}AAA`, secret, other]) {
      expect(sealer.open(wrong), wrong).to.equal(undefined);
    }
  });
});
