import { assertName } from '#kernel';

const title = (name: string): string => {
  const words = name.replaceAll('_', ' ');
  return words.charAt(0).toUpperCase() + words.slice(1);
};

/**
 * A first definition to begin from: valid as it is, each part explained in a comment. Errors: NAME_INVALID
 * (user).
 */
export function starterApp(name: string): string {
  assertName('App', name);
  return `# ${title(name)}: one file is the whole app. The vocabulary is in docs/apps.md.
#   bac app plan ${name}/app.yaml      what it would do
#   bac app apply ${name}/app.yaml     do it; the same again after each change
app:
  name: ${name} # the PostgreSQL schema
  label: ${title(name)}

# Who may do what, where an entity says nothing else. Without: only owners and admins of the tenant.
permissions:
  - { role: everyone, can: [read, create, update, comment] }

entities:
  # One table: ${name}.item, in ClickHouse business.${name}_item.
  item:
    label: Item
    titleField: name # stands for a row in lists and links
    searchFields: [name]
    # A running number per tenant: I-0001, I-0002, ...
    numbering: { field: number, prefix: I-, digits: 4 }
    # The life of a row. Whoever may update may make these moves, unless \`roles\` says who.
    states:
      initial: open
      list: { open: Open, done: Done }
      terminal: [done]
      transitions:
        - { from: open, to: done, label: Finish }
    fields:
      name: { type: text, required: true }
      due_on: { type: date }
      price: { type: money, currency: EUR }
      kind:
        type: select
        options: { plain: Plain, special: Special }
        default: plain
      # A child table: rows that belong to an item and go with it.
      notes: { type: childTable, entity: item_note }

  item_note:
    label: Note
    fields:
      text: { type: text, required: true }
`;
}
