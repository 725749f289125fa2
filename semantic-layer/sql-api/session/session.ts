import type { Principal } from '#kernel';
import { type Node, parse, type Statement } from '../compile/ast.ts';
import { modelOf } from '../compile/relation.ts';
import { compile } from '../compile/statement.ts';
import { refused, SqlError } from '../errors.ts';
import { queryOf } from '../run/load.ts';
import type { Answer, RunContext } from '../run/statement.ts';
import { fieldOf } from '../types.ts';
import type { Field } from '../wire/backend.ts';
import { Cursors } from './cursors.ts';
import { command, listed, type Plan, TEXT } from './plan.ts';
import { type Catalogues, cataloguePlan, semanticPlan } from './plans.ts';
import { destination, withoutTables } from './route.ts';
import { Settings } from './settings.ts';

/** What the statements of one client mean: settings, cursors, the transaction it believes to be in. */
export class Session {
  readonly settings: Settings;
  readonly #context: RunContext & { principal: Principal };
  /** Who the client is now; null once it is nobody any more. */
  readonly #whoIsIt: () => Promise<Principal | null>;
  readonly #catalogues: Catalogues;
  readonly #cursors = new Cursors();
  /** Statements of PREPARE. */
  readonly #prepared = new Map<string, { statement: Statement; oids: readonly number[] }>();
  #freshness: Answer['freshness'] = null;
  transaction: 'I' | 'T' | 'E' = 'I';
  /** Tells the client of a setting that has changed. */
  onSetting: (name: string, value: string) => void = () => undefined;

  constructor(context: RunContext, catalogues: Catalogues, whoIsIt: () => Promise<Principal | null>) {
    this.#context = { ...context };
    this.#whoIsIt = whoIsIt;
    this.#catalogues = catalogues;
    this.settings = new Settings(context.principal.user);
  }

  /** Before each statement: keys end and rights change while connections live. Errors: 57P01. */
  async renew(): Promise<void> {
    const principal = await this.#whoIsIt();
    if (!principal)
      throw new SqlError('57P01', 'the key is not valid any more', { hint: 'Connect with another one.' });
    this.#context.principal = principal;
  }

  /** Statements of a text. Errors: 42601. */
  statements(sql: string): Promise<Statement[]> {
    return parse(sql);
  }

  /** What is to be done for a statement; nothing is run yet. Errors: SqlError. */
  async plan(statement: Statement, oids: readonly number[], signal: AbortSignal): Promise<Plan> {
    const plan = await this.#plan(statement, oids, signal);
    if (this.transaction === 'E' && !plan.ends)
      throw new SqlError(
        '25P02',
        'current transaction is aborted, commands ignored until end of transaction block',
      );
    return plan;
  }

  async #plan(statement: Statement, oids: readonly number[], signal: AbortSignal): Promise<Plan> {
    const { node } = statement;
    if ('SelectStmt' in node) return this.#select(statement, oids);
    if ('VariableSetStmt' in node) return this.#set(node.VariableSetStmt);
    if ('VariableShowStmt' in node) return this.#show(node.VariableShowStmt.name ?? '');
    if ('TransactionStmt' in node) return this.#transactionStatement(node.TransactionStmt.kind ?? '');
    if ('DeclareCursorStmt' in node) {
      const { portalname = '', options = 0, query } = node.DeclareCursorStmt;
      const hold = (options & HOLD) !== 0;
      if ((options & SCROLL) !== 0)
        throw refused('Scrolling cursors are not served.', 'DECLARE name NO SCROLL CURSOR FOR SELECT ...');
      if (!hold && this.transaction !== 'T')
        throw new SqlError('25P01', 'DECLARE CURSOR can only be used in transaction blocks');
      const inner = await this.#select({ node: query!, sql: textAfterFor(statement.sql) }, oids);
      return command('DECLARE CURSOR', () => this.#cursors.declare(portalname, hold, inner, signal));
    }
    if ('FetchStmt' in node) return this.#cursors.fetch(node.FetchStmt);
    if ('ClosePortalStmt' in node) {
      const name = node.ClosePortalStmt.portalname ?? null;
      return command(name === null ? 'CLOSE CURSOR ALL' : 'CLOSE CURSOR', () => this.#cursors.close(name));
    }
    if ('DiscardStmt' in node) {
      return command('DISCARD ALL', async () => {
        this.settings.reset(null);
        this.#prepared.clear();
        await this.#cursors.close(null);
      });
    }
    if ('PrepareStmt' in node) return this.#prepare(statement, node.PrepareStmt);
    if ('ExecuteStmt' in node) return this.#execute(node.ExecuteStmt);
    if ('DeallocateStmt' in node) {
      const name = node.DeallocateStmt.name;
      return command(name ? 'DEALLOCATE' : 'DEALLOCATE ALL', () => {
        if (!name) this.#prepared.clear();
        else if (!this.#prepared.delete(name))
          throw new SqlError('26000', `prepared statement "${name}" does not exist`);
      });
    }
    if ('UnlistenStmt' in node) return command('UNLISTEN', () => undefined);
    if ('ExplainStmt' in node) return this.#explain(node.ExplainStmt.query!);
    throw new SqlError(
      '25006',
      'The SQL API only reads: SELECT, SHOW, SET, BEGIN, COMMIT, cursors, PREPARE, EXPLAIN.',
      {
        hint: 'Change data through the apps or at the source; it is here within a second.',
      },
    );
  }

  async #select(statement: Statement, oids: readonly number[]): Promise<Plan> {
    const model = modelOf(await this.#context.layer.meta(this.#context.principal));
    const toCatalogue = (): Plan => cataloguePlan(statement, oids, this.#context, this.#catalogues);
    if (destination(statement.node, model) === 'catalogue') return toCatalogue();
    const plan = semanticPlan(statement.node, oids, this.#context, (answer) => this.#note(answer));
    try {
      await plan.describe();
      return plan;
    } catch (error) {
      // Without a table it can only be about the server itself.
      if (
        error instanceof SqlError &&
        /^(0A000|42883)$/.test(error.sqlstate) &&
        withoutTables(statement.node)
      )
        return toCatalogue();
      throw error;
    }
  }

  #note(answer: Answer): string[] {
    if (!answer.freshness) return [];
    this.#freshness = answer.freshness;
    return this.settings.notices ? [freshnessText(answer.freshness)] : [];
  }

  #set(body: Extract<Node, { VariableSetStmt: unknown }>['VariableSetStmt']): Plan {
    const name = body.name ?? '';
    const changed = (): void => {
      const reported = this.settings.reportedName(name);
      if (reported) this.onSetting(reported, this.settings.get(name) ?? '');
    };
    switch (body.kind) {
      case 'VAR_RESET_ALL':
        return command('RESET', () => this.settings.reset(null));
      case 'VAR_RESET':
      case 'VAR_SET_DEFAULT':
        return command(body.kind === 'VAR_RESET' ? 'RESET' : 'SET', () => {
          this.settings.reset(name);
          changed();
        });
      case 'VAR_SET_MULTI':
        return command('SET', () => undefined);
      case 'VAR_SET_VALUE':
        return command('SET', () => {
          this.settings.set(name, (body.args ?? []).map(settingText).join(', '));
          changed();
        });
      default:
        throw refused('This form of SET is not served.', 'SET name = value');
    }
  }

  #show(name: string): Plan {
    const rows = (): [string[], string[][]] => {
      if (name === 'all')
        return [
          ['name', 'setting', 'description'],
          this.settings.all().map(([one, value]) => [one, value, '']),
        ];
      if (name === 'bac.freshness')
        return [['bac.freshness'], [[this.#freshness ? freshnessText(this.#freshness) : 'no query yet']]];
      const value = this.settings.get(name);
      if (value === undefined) throw new SqlError('42704', `unrecognized configuration parameter "${name}"`);
      return [[SPELLING[name] ?? name], [[value]]];
    };
    return {
      describe: async () => ({ params: [], fields: rows()[0].map((one) => fieldOf(one, 'text')) }),
      open: async () => {
        const [heads, values] = rows();
        return {
          fields: heads.map((one) => fieldOf(one, 'text')),
          rows: listed(values.map((row) => row.map((value) => Buffer.from(value, 'utf8')))),
          tag: () => 'SHOW',
          notices: [],
        };
      },
    };
  }

  #transactionStatement(kind: string): Plan {
    const end = (tag: string, after: 'I' | 'T'): Plan =>
      command(
        tag,
        async () => {
          this.transaction = after;
          await this.#cursors.endTransaction();
        },
        true,
      );
    switch (kind) {
      case 'TRANS_STMT_BEGIN':
      case 'TRANS_STMT_START':
        return command('BEGIN', () => {
          if (this.transaction === 'I') this.transaction = 'T';
        });
      case 'TRANS_STMT_COMMIT':
        return end(this.transaction === 'E' ? 'ROLLBACK' : 'COMMIT', 'I');
      case 'TRANS_STMT_ROLLBACK':
        return end('ROLLBACK', 'I');
      case 'TRANS_STMT_SAVEPOINT':
        return command('SAVEPOINT', () => undefined);
      case 'TRANS_STMT_RELEASE':
        return command('RELEASE', () => undefined);
      case 'TRANS_STMT_ROLLBACK_TO':
        return command(
          'ROLLBACK',
          () => {
            this.transaction = 'T';
          },
          true,
        );
      default:
        throw refused('Two-phase commit is not served.', 'The SQL API only reads.');
    }
  }

  #prepare(statement: Statement, body: Extract<Node, { PrepareStmt: unknown }>['PrepareStmt']): Plan {
    const name = body.name ?? '';
    if (!body.query || !('SelectStmt' in body.query))
      throw refused('PREPARE is served for SELECT.', 'PREPARE name AS SELECT ...');
    const sql = statement.sql.replace(/^[\s\S]*?\bas\b/i, '');
    return command('PREPARE', () => {
      if (this.#prepared.has(name))
        throw new SqlError('42P05', `prepared statement "${name}" already exists`);
      if (this.#prepared.size >= 1000) throw new SqlError('53400', 'too many prepared statements');
      this.#prepared.set(name, { statement: { node: body.query!, sql }, oids: [] });
    });
  }

  async #execute(body: Extract<Node, { ExecuteStmt: unknown }>['ExecuteStmt']): Promise<Plan> {
    const kept = this.#prepared.get(body.name ?? '');
    if (!kept) throw new SqlError('26000', `prepared statement "${body.name}" does not exist`);
    const inner = await this.#select(kept.statement, kept.oids);
    const params = (body.params ?? []).map((node) => {
      const text = settingText(node);
      return text === 'NULL' && 'A_Const' in node && node.A_Const.isnull ? null : Buffer.from(text, 'utf8');
    });
    return {
      describe: async () => ({ params: [], fields: (await inner.describe()).fields }),
      open: (bound, until) => inner.open({ ...TEXT, params, resultFormats: bound.resultFormats }, until),
    };
  }

  /** What is asked of the semantic layer, and what the engine does with it. */
  #explain(node: Node): Plan {
    const fields = [fieldOf('QUERY PLAN', 'text')];
    return {
      describe: async () => ({ params: [], fields }),
      open: async () => {
        const model = modelOf(await this.#context.layer.meta(this.#context.principal));
        const made = compile(node, {
          model,
          types: [],
          values: [],
          now: new Date().toISOString().replace('T', ' ').replace('Z', ''),
          user: this.#context.principal.user,
          known: new Map(),
        });
        const lines = [
          ...made.loads.map((load) => `Semantic query ${load.table}: ${JSON.stringify(queryOf(load))}`),
          `Over its rows: ${made.sql}`,
        ];
        return {
          fields,
          rows: listed(lines.map((line) => [Buffer.from(line, 'utf8')])),
          tag: () => 'EXPLAIN',
          notices: [],
        };
      },
    };
  }

  /** Columns of a cursor of SQL, which clients describe like a portal. */
  cursorFields(name: string): readonly Field[] | undefined {
    return this.#cursors.fields(name);
  }

  async end(): Promise<void> {
    await this.#cursors.close(null);
  }
}

/** Bits of a cursor's options; source: PostgreSQL, parsenodes.h. */
const SCROLL = 0x2;
const HOLD = 0x20;

const SPELLING: Readonly<Record<string, string>> = {
  timezone: 'TimeZone',
  datestyle: 'DateStyle',
  intervalstyle: 'IntervalStyle',
};

const textAfterFor = (sql: string): string => sql.replace(/^[\s\S]*?\bfor\b/i, '');

function settingText(node: Node): string {
  if ('TypeCast' in node && node.TypeCast.arg) return settingText(node.TypeCast.arg);
  if (!('A_Const' in node)) throw refused('Only constants are served here.', "SET name = 'value'");
  const { sval, ival, fval, boolval } = node.A_Const;
  if (sval) return sval.sval ?? '';
  if (ival) return String(ival.ival ?? 0);
  if (fval) return fval.fval ?? '0';
  if (boolval) return boolval.boolval ? 'true' : 'false';
  return 'NULL';
}

const freshnessText = (freshness: NonNullable<Answer['freshness']>): string =>
  `data complete up to ${freshness.completeUpTo ?? 'an unknown moment'}${freshness.cached ? ', from cache' : ''}, tables ${freshness.tables.join(', ')}${freshness.rollups.length > 0 ? `, through roll-ups ${freshness.rollups.join(', ')}` : ''}`;
