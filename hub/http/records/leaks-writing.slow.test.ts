import { describe, expect, test } from 'vitest';
import { ask } from '../testing.ts';
import { ENTITIES, fieldRight, mayDo, maySee, principalOf, TENANTS } from './testing/vault.ts';
import { CASES, FIELDS, idsOf, vaultHub } from './testing/vault-hub.ts';

const vault = vaultHub();
const { rest, seen, clean } = vault;

describe.each(CASES)('$role of $tenant', ({ role, tenant }) => {
  const other = TENANTS.find((one) => one !== tenant)!;

  test.each(ENTITIES)('writing %s: only what may be, and never another tenant’s', async (entity) => {
    const path = `/api/v1/records/vault/${entity}`;
    const text = FIELDS[entity][0]!;
    for (const row of vault.facts[entity].filter((_, index) => index % 5 === 0)) {
      const isMine = maySee(role, tenant, entity, row, vault.facts);
      const before = await vault.hub.pool.query(`SELECT * FROM vault.${entity} WHERE id = $1`, [row.id]);
      const answers = [
        ...(isMine && mayDo(role, entity, 'update')
          ? []
          : [await rest(role, tenant, 'PATCH', `${path}/${row.id}`, { [text]: 'stolen' })]),
        ...(isMine && mayDo(role, entity, 'delete')
          ? []
          : [await rest(role, tenant, 'DELETE', `${path}/${row.id}`)]),
        ...(isMine && mayDo(role, entity, 'update')
          ? []
          : [
              await rest(role, tenant, 'POST', `${path}/${row.id}/transitions/won`, {}),
              await rest(role, tenant, 'POST', `${path}/${row.id}/comments`, { text: 'stolen' }),
              await rest(role, tenant, 'POST', '/api/v1/records/bulk', {
                operations: [
                  { op: 'update', entity: `vault.${entity}`, id: row.id, values: { [text]: 'stolen' } },
                ],
              }),
              await rest(role, tenant, 'POST', '/api/v1/records/bulk', {
                operations: [{ op: 'delete', entity: `vault.${entity}`, id: row.id }],
              }),
            ]),
      ];
      for (const answer of answers) {
        clean(answer, role, tenant, entity);
        expect(answer.status).toBeGreaterThanOrEqual(400);
        expect(answer.status).toBeLessThan(500);
      }
      const after = await vault.hub.pool.query(`SELECT * FROM vault.${entity} WHERE id = $1`, [row.id]);
      expect(after.rows).toEqual(before.rows);
      for (const kind of ['timeline', 'attachments']) {
        const answer = await rest(role, tenant, 'GET', `${path}/${row.id}/${kind}`);
        // Of a record that is not there, nothing has happened.
        if (!isMine && answer.status === 200)
          expect(answer.json.entries ?? answer.json.attachments).toEqual([]);
        clean(answer, role, tenant, entity);
      }
    }
  });

  test.each(ENTITIES)(
    'files: what is exported of %s is what may be seen, and nothing is imported without the right',
    async (entity) => {
      for (const format of ['csv', 'parquet', 'xlsx']) {
        const file = await rest(
          role,
          tenant,
          'GET',
          `/api/v1/export/vault/${entity}?format=${format}&sort=id`,
        );
        clean(file, role, tenant, entity);
        if (!mayDo(role, entity, 'export')) {
          expect([file.status, file.json?.error.code]).toEqual([403, 'PERMISSION_DENIED']);
        } else {
          expect(file.status).toBe(200);
          if (format === 'csv') {
            const ids = file.text
              .trim()
              .split('\r\n')
              .join('\n')
              .split('\n')
              .slice(1)
              .map((line) => ({ id: line.split(',')[0]! }));
            expect(idsOf(ids)).toEqual(idsOf(seen(role, tenant, entity)));
          }
        }
      }
      for (const [field, right] of FIELDS[entity].map((name) => [name, fieldRight(role, entity, name)])) {
        const file = await rest(role, tenant, 'GET', `/api/v1/export/vault/${entity}?fields=${field}`);
        clean(file, role, tenant, entity);
        if (right === 'hidden') expect(file.status).toBeGreaterThanOrEqual(400);
      }
      if (mayDo(role, entity, 'import')) return;
      const before = await vault.hub.pool.query(`SELECT count(*) FROM vault.${entity}`);
      const refusedImport = await ask(vault.hub, 'POST', `/api/v1/import/vault/${entity}`, {
        key: vault.key(role, tenant),
        headers: { 'content-type': 'application/octet-stream' },
        body: `${FIELDS[entity][0]}\nstolen\n`,
      });
      expect([refusedImport.status, refusedImport.json.error.code]).toEqual([403, 'PERMISSION_DENIED']);
      expect((await vault.hub.pool.query(`SELECT count(*) FROM vault.${entity}`)).rows).toEqual(before.rows);
    },
  );

  test('an import changes no record of another tenant, nor one outside the row rule', async () => {
    if (!mayDo(role, 'deal', 'import')) return;
    const invisible = vault.facts.deal
      .filter((row) => !maySee(role, tenant, 'deal', row, vault.facts))
      .slice(0, 5);
    const answer = await ask(vault.hub, 'POST', '/api/v1/import/vault/deal', {
      key: vault.key(role, tenant),
      headers: { 'content-type': 'application/octet-stream' },
      body: `id,name\n${invisible.map((row) => `${row.id},stolen`).join('\n')}\n`,
    });
    const result = JSON.parse(answer.text.trim().split('\n').at(-1)!);
    expect(result).toMatchObject({ type: 'result', failed: invisible.length, updated: 0, created: 0 });
    expect((await vault.hub.pool.query("SELECT 1 FROM vault.deal WHERE name = 'stolen'")).rows).toEqual([]);
  });

  test('new records stay in the tenant, within the row rule, without fields one may not write', async () => {
    const foreignPerson = vault.facts.person.find((row) => row.tenant === other)!;
    const me = vault.facts.person.find(
      (row) => row.tenant === tenant && row.email === principalOf(role, tenant).user,
    );
    const somebody = vault.facts.person.find((row) => row.tenant === tenant && row.id !== me?.id)!;
    const deal = (owner: string, more: object = {}) => ({
      name: 'made',
      owner,
      region: 'coast',
      amount: '1.00',
      ...more,
    });
    const path = '/api/v1/records/vault/deal';
    const toOther = await rest(role, tenant, 'POST', path, deal(foreignPerson.id));
    expect(toOther.status).toBeGreaterThanOrEqual(400);
    clean(toOther, role, tenant, 'deal');
    const smuggled = await rest(role, tenant, 'POST', path, deal(somebody.id, { tenant_id: other }));
    expect(smuggled.status).toBeGreaterThanOrEqual(400);
    const forSomebody = await rest(role, tenant, 'POST', path, deal(somebody.id));
    if (['manager', 'admin'].includes(role)) expect(forSomebody.status).toBe(201);
    // A person one may not see is one that is not there.
    else expect(forSomebody.json.error.code).toMatch(/^(PERMISSION_DENIED|REFERENCE_UNKNOWN)$/);
    if (role === 'seller') {
      expect((await rest(role, tenant, 'POST', path, deal(me!.id))).status).toBe(201);
      for (const closed of ['margin', 'secret', 'approved']) {
        const answer = await rest(
          role,
          tenant,
          'POST',
          path,
          deal(me!.id, { [closed]: closed === 'approved' ? true : '1' }),
        );
        expect([answer.status, answer.json.error.code], closed).toEqual([403, 'FIELD_DENIED']);
      }
    }
    await vault.hub.pool.query("DELETE FROM vault.deal WHERE name = 'made'");
  });
});
