import { expect, test } from 'vitest';
import { everythingProfile } from '#kernel';
import { buildModel, type Member, readModelFiles, SHIPPED_MODEL, type View } from '#semantic';
import { demoModel } from '#tests/demo-model';

const demo = await demoModel();
const { model } = buildModel(
  { ...demo, curated: await readModelFiles(SHIPPED_MODEL) },
  everythingProfile(demo.tables),
);

/** The measures of a view, each with the cube's member it is. */
function measuresOf(view: View): { name: string; member: Member }[] {
  return view.cubes.flatMap((part) => {
    const cube = model.cubes.find(({ name }) => name === part.join_path.split('.').at(-1))!;
    const prefix = part.prefix ? `${part.alias ?? cube.name}_` : '';
    const names = part.includes === '*' ? cube.measures.map(({ name }) => name) : part.includes;
    return names.flatMap((one) => {
      const name = typeof one === 'string' ? one : one.name;
      const member = cube.measures.find((measure) => measure.name === name);
      return member && member.public !== false ? [{ name: prefix + name, member }] : [];
    });
  });
}

const unitOf = ({ meta }: Member): string =>
  meta?.unit_dimension === undefined ? String(meta?.unit ?? '') : `in \`${String(meta.unit_dimension)}\``;

function viewText(view: View): string {
  const rows = measuresOf(view).map(
    ({ name, member }) =>
      `| \`${name}\` | ${String(member.title)} | ${String(member.description ?? '')} | ${unitOf(member)} |`,
  );
  return [
    `### \`${view.name}\`: ${view.title}`,
    '',
    view.description,
    '',
    '| measure | title | what it is | unit |',
    '| --- | --- | --- | --- |',
    ...rows,
  ].join('\n');
}

test('docs/metrics.md lists every measure of every view', async () => {
  const areas = Map.groupBy(model.views, ({ meta }) => String(meta?.area));
  const text = [
    '# Metrics',
    '',
    'The measures of the views that come with the product, by business area. Written from `semantic-layer/model/*.yaml` by `tests/semantic/metrics-doc.test.ts`; after a change: `npx vitest run tests/semantic/metrics-doc.test.ts -u`.',
    '',
    'Amounts are in the currency of their row; the unit names the dimension that holds it. Group or filter by it: nothing converts. Shares are between 0 and 1. A principal sees the measures whose columns its roles may see, and the rows they may see.',
    ...[...areas]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .flatMap(([area, views]) => [
        '',
        `## ${area.charAt(0).toUpperCase()}${area.slice(1)}`,
        ...views.flatMap((view) => ['', viewText(view)]),
      ]),
    '',
  ].join('\n');
  await expect(text).toMatchFileSnapshot('../../docs/metrics.md');
});
