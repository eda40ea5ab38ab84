import { expect } from 'chai';
import type { Node, NodeInstance } from '../../../src/domain/topology.ts';
import { withAddedRelationships, withoutRelationshipsTo } from '../../../src/executor/relationship-changes.ts';

const link = (targetName: string, targetId: string) => ({ type: 'connected_to', targetName, targetId });
const wire = (target_name: string, target_id: string) => ({ type: 'connected_to', target_name, target_id });
const instance = (id: string, relationships: ReturnType<typeof link>[]): NodeInstance =>
  ({ id, nodeId: 'web', relationships }) as unknown as NodeInstance;
const nodes = [{ id: 'web', relationships: [{ targetId: 'db' }, { targetId: 'cache' }] }] as unknown as Node[];

describe('relationship changes', () => {
  it('adds relationships where the node declares their targets', () => {
    const web = instance('web_1', [link('db', 'db_1'), link('cache', 'cache_1')]);
    const related = [{ id: 'web_1', relationships: [link('db', 'db_2'), link('db', 'db_1')] }];
    expect(withAddedRelationships(nodes, [web], related)).to.deep.equal([
      { id: 'web_1', relationships: [wire('db', 'db_1'), wire('db', 'db_2'), wire('cache', 'cache_1')] },
    ]);
  });

  it('changes neither new instances nor those that get nothing new', () => {
    const web = instance('web_1', [link('db', 'db_1')]);
    const related = [
      { id: 'web_2', relationships: [link('db', 'db_1')] },
      { id: 'web_1', relationships: [link('db', 'db_1')] },
    ];
    expect(withAddedRelationships(nodes, [web], related)).to.deep.equal([]);
  });

  it('takes away relationships to what is gone', () => {
    const instances = [instance('web_1', [link('db', 'db_1'), link('db', 'db_2')]), instance('web_2', [])];
    expect(withoutRelationshipsTo(instances, new Set(['db_1']))).to.deep.equal([
      { id: 'web_1', relationships: [wire('db', 'db_2')] },
    ]);
  });
});
