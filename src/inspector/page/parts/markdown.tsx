/**
 * Markdown as elements of the page. Only what the tokens mean is rendered: there is no HTML on the way, markup in the text
 * is shown as text, nothing is loaded, and a link says where it leads.
 */
import { lexer, type Token, type Tokens } from 'marked'
import type { ComponentChildren } from 'preact'
import { useMemo } from 'preact/hooks'

/** Deeper nesting is shown as it is written. */
const DEEPEST = 12
/** A parser takes ever longer for markers without end, which no one reads as Markdown. */
const MARKERS_WITHOUT_END = /(?:[>*+-][ \t]*){40}|[[(*_`~]{100}|(?:\*[^*\n]{0,3}){200}|(?:_[^_\n]{0,3}){200}/

export function Markdown({ text }: { readonly text: string }) {
  const tokens = useMemo(() => tokensOf(text), [text])
  return tokens === null ? (
    <pre class="text">{text}</pre>
  ) : (
    <div class="markdown">{tokens.map((token, at) => block(token, at, 0))}</div>
  )
}

/** null if the text is no Markdown that can be parsed. */
export function tokensOf(text: string): readonly Token[] | null {
  if (MARKERS_WITHOUT_END.test(text)) return null
  try {
    return lexer(text, { gfm: true, breaks: true })
  } catch {
    return null
  }
}

function block(token: Token, key: number, depth: number): ComponentChildren {
  if (depth > DEEPEST)
    return (
      <pre class="text" key={key}>
        {token.raw}
      </pre>
    )
  const blocks = (tokens: readonly Token[] = []) => tokens.map((one, at) => block(one, at, depth + 1))
  switch (token.type) {
    case 'space':
    case 'def':
      return null
    case 'hr':
      return <hr key={key} />
    case 'heading':
      // One level for all: those of an answer say nothing of the page.
      return (
        <h3 key={key} class={`heading-${(token as Tokens.Heading).depth}`}>
          {inlines(token.tokens)}
        </h3>
      )
    case 'code':
      return (
        <Code key={key} text={(token as Tokens.Code).text} language={(token as Tokens.Code).lang ?? ''} />
      )
    case 'blockquote':
      return <blockquote key={key}>{blocks(token.tokens)}</blockquote>
    case 'list':
      return <List key={key} list={token as Tokens.List} items={blocks} />
    case 'table':
      return <Table key={key} table={token as Tokens.Table} />
    case 'paragraph':
      return <p key={key}>{inlines(token.tokens)}</p>
    case 'text':
      return (
        <span key={key}>{'tokens' in token && token.tokens ? inlines(token.tokens) : plain(token.text)}</span>
      )
    default:
      return (
        <pre class="text" key={key}>
          {token.raw}
        </pre>
      )
  }
}

function List({
  list: { ordered, start, items: all },
  items,
}: {
  readonly list: Tokens.List
  readonly items: (tokens: readonly Token[]) => ComponentChildren
}) {
  const rows = all.map(({ tokens, task, checked }, at) => (
    <li key={at} class={task ? 'task' : ''}>
      {task && (checked ? '☑ ' : '☐ ')}
      {items(tokens.filter(({ type }) => type !== 'checkbox'))}
    </li>
  ))
  return ordered ? <ol start={start === '' ? 1 : start}>{rows}</ol> : <ul>{rows}</ul>
}

function Table({ table: { header, rows } }: { readonly table: Tokens.Table }) {
  return (
    // biome-ignore lint/a11y/useSemanticElements: it is no group of fields
    // biome-ignore lint/a11y/noNoninteractiveTabindex: a wide table is scrolled with the keys
    <div class="wide" tabIndex={0} role="group" aria-label="Table">
      <table>
        <thead>
          <tr>
            {header.map(({ tokens, align }, at) => (
              <th key={at} class={align ?? ''}>
                {inlines(tokens)}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((cells, row) => (
            <tr key={row}>
              {cells.map(({ tokens, align }, at) => (
                <td key={at} class={align ?? ''}>
                  {inlines(tokens)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}

function Code({ text, language }: { readonly text: string; readonly language: string }) {
  return (
    // biome-ignore lint/a11y/useSemanticElements: it is no group of fields
    // biome-ignore lint/a11y/noNoninteractiveTabindex: a long line is scrolled with the keys
    <pre class="code" tabIndex={0} role="group" aria-label={language === '' ? 'Code' : `Code: ${language}`}>
      {language === 'diff'
        ? text.split('\n').map((line, at) => (
            <span
              key={at}
              class={`line ${line.startsWith('+') ? 'is-added' : line.startsWith('-') ? 'is-removed' : ''}`}
            >
              {line}
            </span>
          ))
        : text}
    </pre>
  )
}

function inlines(tokens: readonly Token[] = [], depth = 0): ComponentChildren {
  if (depth > DEEPEST) return tokens.map(({ raw }) => raw).join('')
  return tokens.map((token, key) => {
    const inside = () => inlines('tokens' in token ? token.tokens : [], depth + 1)
    switch (token.type) {
      case 'strong':
        return <strong key={key}>{inside()}</strong>
      case 'em':
        return <em key={key}>{inside()}</em>
      case 'del':
        return <del key={key}>{inside()}</del>
      case 'codespan':
        return <code key={key}>{token.text}</code>
      case 'br':
        return <br key={key} />
      case 'escape':
        return plain(token.text)
      case 'text':
        return 'tokens' in token && token.tokens ? <span key={key}>{inside()}</span> : plain(token.text)
      case 'link':
        return (
          <Link key={key} address={token.href} text={token.text}>
            {inside()}
          </Link>
        )
      case 'image':
        return (
          <span key={key} class="image">
            image {plain(token.text)} ({token.href})
          </span>
        )
      default:
        return token.raw
    }
  })
}

/** Leads out only to a web page, in a window of its own that knows nothing of this one. */
function Link({
  address,
  text,
  children,
}: {
  readonly address: string
  readonly text: string
  readonly children: ComponentChildren
}) {
  const isWeb = /^https?:\/\//i.test(address) && URL.canParse(address)
  const isSaid = text === address || address === `http://${text}`
  if (!isWeb)
    return (
      <>
        {children} <span class="target">({address})</span>
      </>
    )
  return (
    <>
      <a class="link" href={address} target="_blank" rel="noopener noreferrer nofollow" title={address}>
        {children}
      </a>
      {!isSaid && <span class="target"> ({new URL(address).host})</span>}
    </>
  )
}

const ENTITIES: Readonly<Record<string, string>> = {
  amp: '&',
  lt: '<',
  gt: '>',
  quot: '"',
  '#39': "'",
  nbsp: ' ',
}

/** Only entities of visible characters: any other could hide what the server has made visible. */
const plain = (text: string): string =>
  text.replace(/&(amp|lt|gt|quot|#39|nbsp);/g, (whole, name: string) => ENTITIES[name] ?? whole)
