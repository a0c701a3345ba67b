//! What Alexa says, in every language.
//!
//! To add a language, add a table and its line in [`Messages::of`]. A sentence has at most 200 characters and none of
//! `& < > " ' \`, which speech would have to escape; the names of settings stay as they are.

/// The sentences of one language. `{setting}` stands for the name of a setting.
pub struct Messages {
    pub setting_missing: &'static str,
    pub setting_wrong: &'static str,
    pub link_account: &'static str,
    pub banned: &'static str,
    pub firewall: &'static str,
    pub proxy_not_trusted: &'static str,
    pub proxy_timeout: &'static str,
    pub alexa_not_enabled: &'static str,
    pub wrong_address: &'static str,
    pub unreachable: &'static str,
    pub insecure: &'static str,
    pub bad_answer: &'static str,
    pub late: &'static str,
}

impl Messages {
    /// The sentences for a locale such as `en-GB`; English where there are no others.
    pub fn of(locale: &str) -> &'static Self {
        match locale.split_once('-').map_or(locale, |(language, _)| language) {
            "ar" => &ARABIC,
            "de" => &GERMAN,
            "es" => &SPANISH,
            "fr" => &FRENCH,
            "hi" => &HINDI,
            "it" => &ITALIAN,
            "ja" => &JAPANESE,
            "nl" => &DUTCH,
            "pt" => &PORTUGUESE,
            _ => &ENGLISH,
        }
    }
}

const ENGLISH: Messages = Messages {
    setting_missing: "{setting} is not set. Please add it to the environment variables of the Lambda function.",
    setting_wrong: "{setting} is not set to anything I can use. Please correct it in the environment variables of the Lambda function.",
    link_account: "Home Assistant does not know who you are. Please link your account again in the Alexa app.",
    banned: "Home Assistant has banned me. Please remove my address from ip_bans.yaml and restart Home Assistant.",
    firewall: "A firewall in front of Home Assistant stopped me. Please let requests to /api/alexa pass.",
    proxy_not_trusted: "Home Assistant does not trust its reverse proxy. Please add it to the trusted proxies under Settings, System, Network, or before version 2026.8 in configuration.yaml.",
    proxy_timeout: "Home Assistant did not answer the proxy in front of it in time. Please give the proxy a longer timeout.",
    alexa_not_enabled: "Home Assistant does not listen to Alexa yet. If it is not just starting, please add the line alexa: to configuration.yaml and restart it.",
    wrong_address: "BASE_URL does not lead to Home Assistant. Please correct it in the environment variables of the Lambda function.",
    unreachable: "I cannot reach Home Assistant. Please check that it is running, that BASE_URL is right, and that its port is open to the internet.",
    insecure: "I cannot connect to Home Assistant securely. Please check its certificate. The log of the Lambda function says what is wrong.",
    bad_answer: "Home Assistant gave no answer that I can use. Its log and the log of the Lambda function say more.",
    late: "Home Assistant is still working on it.",
};

const GERMAN: Messages = Messages {
    setting_missing: "{setting} ist nicht gesetzt. Bitte trage es bei den Umgebungsvariablen der Lambda-Funktion ein.",
    setting_wrong: "Mit dem Wert von {setting} kann ich nichts anfangen. Bitte berichtige ihn bei den Umgebungsvariablen der Lambda-Funktion.",
    link_account: "Home Assistant weiß nicht, wer du bist. Bitte verknüpfe dein Konto in der Alexa-App neu.",
    banned: "Home Assistant hat mich gesperrt. Bitte lösche meine Adresse aus ip_bans.yaml und starte Home Assistant neu.",
    firewall: "Eine Firewall vor Home Assistant hat mich aufgehalten. Bitte lass Anfragen an /api/alexa durch.",
    proxy_not_trusted: "Home Assistant vertraut seinem Reverse-Proxy nicht. Bitte trage ihn unter Einstellungen, System, Netzwerk bei den vertrauenswürdigen Proxys ein, vor Version 2026.8 in configuration.yaml.",
    proxy_timeout: "Home Assistant hat dem Proxy davor nicht rechtzeitig geantwortet. Bitte stelle am Proxy ein längeres Timeout ein.",
    alexa_not_enabled: "Home Assistant hört noch nicht auf Alexa. Falls es nicht gerade startet, trage bitte die Zeile alexa: in configuration.yaml ein und starte es neu.",
    wrong_address: "BASE_URL führt nicht zu Home Assistant. Bitte berichtige es bei den Umgebungsvariablen der Lambda-Funktion.",
    unreachable: "Ich erreiche Home Assistant nicht. Bitte prüfe, ob es läuft, ob BASE_URL stimmt und ob der Port zum Internet offen ist.",
    insecure: "Ich kann mich nicht sicher mit Home Assistant verbinden. Bitte prüfe sein Zertifikat. Im Protokoll der Lambda-Funktion steht, was daran falsch ist.",
    bad_answer: "Home Assistant hat keine brauchbare Antwort gegeben. Mehr steht in seinem Protokoll und in dem der Lambda-Funktion.",
    late: "Home Assistant arbeitet noch daran.",
};

const SPANISH: Messages = Messages {
    setting_missing: "Falta {setting}. Añádelo a las variables de entorno de la función Lambda.",
    setting_wrong: "El valor de {setting} no me sirve. Corrígelo en las variables de entorno de la función Lambda.",
    link_account: "Home Assistant no sabe quién eres. Vuelve a vincular tu cuenta en la aplicación Alexa.",
    banned: "Home Assistant me ha bloqueado. Quita mi dirección de ip_bans.yaml y reinicia Home Assistant.",
    firewall: "Un cortafuegos delante de Home Assistant me ha detenido. Deja pasar las peticiones a /api/alexa.",
    proxy_not_trusted: "Home Assistant no confía en su proxy inverso. Añádelo a los proxies de confianza en Configuración, Sistema, Red, o antes de la versión 2026.8 en configuration.yaml.",
    proxy_timeout: "Home Assistant no respondió a tiempo al proxy que tiene delante. Dale al proxy un tiempo de espera más largo.",
    alexa_not_enabled: "Home Assistant todavía no escucha a Alexa. Si no se está iniciando ahora mismo, añade la línea alexa: a configuration.yaml y reinícialo.",
    wrong_address: "BASE_URL no lleva a Home Assistant. Corrígelo en las variables de entorno de la función Lambda.",
    unreachable: "No puedo llegar a Home Assistant. Comprueba que esté en marcha, que BASE_URL sea correcto y que su puerto esté abierto a Internet.",
    insecure: "No puedo conectarme a Home Assistant de forma segura. Revisa su certificado. El registro de la función Lambda dice qué le pasa.",
    bad_answer: "Home Assistant no ha dado una respuesta que yo pueda usar. Su registro y el de la función Lambda dicen más.",
    late: "Home Assistant todavía está trabajando en ello.",
};

const FRENCH: Messages = Messages {
    setting_missing: "Il manque {setting}. Ajoutez-le aux variables d’environnement de la fonction Lambda.",
    setting_wrong: "La valeur de {setting} ne convient pas. Corrigez-la dans les variables d’environnement de la fonction Lambda.",
    link_account: "Home Assistant ne sait pas qui vous êtes. Associez de nouveau votre compte dans l’application Alexa.",
    banned: "Home Assistant m’a banni. Supprimez mon adresse de ip_bans.yaml et redémarrez Home Assistant.",
    firewall: "Un pare-feu devant Home Assistant m’a arrêté. Laissez passer les requêtes vers /api/alexa.",
    proxy_not_trusted: "Home Assistant ne fait pas confiance à son proxy inverse. Ajoutez-le aux proxies de confiance sous Paramètres, Système, Réseau, ou avant la version 2026.8 dans configuration.yaml.",
    proxy_timeout: "Home Assistant n’a pas répondu à temps au proxy placé devant lui. Donnez au proxy un délai d’attente plus long.",
    alexa_not_enabled: "Home Assistant n’écoute pas encore Alexa. S’il n’est pas en train de démarrer, ajoutez la ligne alexa: à configuration.yaml et redémarrez-le.",
    wrong_address: "BASE_URL ne mène pas à Home Assistant. Corrigez-le dans les variables d’environnement de la fonction Lambda.",
    unreachable: "Je ne peux pas joindre Home Assistant. Vérifiez qu’il fonctionne, que BASE_URL est juste et que son port est ouvert sur Internet.",
    insecure: "Je ne peux pas me connecter à Home Assistant de façon sûre. Vérifiez son certificat. Le journal de la fonction Lambda dit ce qui ne va pas.",
    bad_answer: "Home Assistant n’a pas donné de réponse utilisable. Son journal et celui de la fonction Lambda en disent plus.",
    late: "Home Assistant y travaille encore.",
};

const ITALIAN: Messages = Messages {
    setting_missing: "Manca {setting}. Aggiungilo alle variabili di ambiente della funzione Lambda.",
    setting_wrong: "Il valore di {setting} non va bene. Correggilo nelle variabili di ambiente della funzione Lambda.",
    link_account: "Home Assistant non sa chi sei. Collega di nuovo il tuo account nell’app Alexa.",
    banned: "Home Assistant mi ha bloccato. Togli il mio indirizzo da ip_bans.yaml e riavvia Home Assistant.",
    firewall: "Un firewall davanti a Home Assistant mi ha fermato. Lascia passare le richieste a /api/alexa.",
    proxy_not_trusted: "Home Assistant non si fida del suo proxy inverso. Aggiungilo ai proxy affidabili in Impostazioni, Sistema, Rete, o prima della versione 2026.8 in configuration.yaml.",
    proxy_timeout: "Home Assistant non ha risposto in tempo al proxy che ha davanti. Imposta nel proxy un timeout più lungo.",
    alexa_not_enabled: "Home Assistant non ascolta ancora Alexa. Se non si sta avviando proprio ora, aggiungi la riga alexa: a configuration.yaml e riavvialo.",
    wrong_address: "BASE_URL non porta a Home Assistant. Correggilo nelle variabili di ambiente della funzione Lambda.",
    unreachable: "Non riesco a raggiungere Home Assistant. Controlla che sia acceso, che BASE_URL sia giusto e che la sua porta sia aperta a Internet.",
    insecure: "Non riesco a collegarmi a Home Assistant in modo sicuro. Controlla il suo certificato. Il log della funzione Lambda dice che cosa non va.",
    bad_answer: "Home Assistant non ha dato una risposta che io possa usare. Il suo log e quello della funzione Lambda dicono di più.",
    late: "Home Assistant ci sta ancora lavorando.",
};

const PORTUGUESE: Messages = Messages {
    setting_missing: "Falta {setting}. Adicione às variáveis de ambiente da função Lambda.",
    setting_wrong: "O valor de {setting} não serve. Corrija nas variáveis de ambiente da função Lambda.",
    link_account: "O Home Assistant não sabe quem você é. Vincule sua conta de novo no aplicativo Alexa.",
    banned: "O Home Assistant me bloqueou. Remova meu endereço de ip_bans.yaml e reinicie o Home Assistant.",
    firewall: "Um firewall na frente do Home Assistant me barrou. Deixe passar as requisições para /api/alexa.",
    proxy_not_trusted: "O Home Assistant não confia no seu proxy reverso. Adicione o proxy aos proxies de confiança em Configurações, Sistema, Rede, ou antes da versão 2026.8 em configuration.yaml.",
    proxy_timeout: "O Home Assistant não respondeu a tempo ao proxy na frente dele. Configure um tempo limite maior no proxy.",
    alexa_not_enabled: "O Home Assistant ainda não escuta a Alexa. Se ele não estiver iniciando agora, adicione a linha alexa: a configuration.yaml e reinicie-o.",
    wrong_address: "BASE_URL não leva ao Home Assistant. Corrija nas variáveis de ambiente da função Lambda.",
    unreachable: "Não consigo acessar o Home Assistant. Veja se ele está rodando, se BASE_URL está certo e se a porta está aberta para a internet.",
    insecure: "Não consigo me conectar ao Home Assistant com segurança. Verifique o certificado. O log da função Lambda diz o que está errado.",
    bad_answer: "O Home Assistant não deu uma resposta que eu possa usar. O log dele e o da função Lambda dizem mais.",
    late: "O Home Assistant ainda está trabalhando nisso.",
};

const DUTCH: Messages = Messages {
    setting_missing: "{setting} is niet ingesteld. Voeg het toe aan de omgevingsvariabelen van de Lambda-functie.",
    setting_wrong: "Met de waarde van {setting} kan ik niets. Verbeter die bij de omgevingsvariabelen van de Lambda-functie.",
    link_account: "Home Assistant weet niet wie je bent. Koppel je account opnieuw in de Alexa-app.",
    banned: "Home Assistant heeft mij geblokkeerd. Haal mijn adres uit ip_bans.yaml en herstart Home Assistant.",
    firewall: "Een firewall voor Home Assistant heeft mij tegengehouden. Laat verzoeken aan /api/alexa door.",
    proxy_not_trusted: "Home Assistant vertrouwt zijn reverse proxy niet. Zet de proxy bij de vertrouwde proxy’s onder Instellingen, Systeem, Netwerk, of vóór versie 2026.8 in configuration.yaml.",
    proxy_timeout: "Home Assistant heeft de proxy ervoor niet op tijd geantwoord. Geef de proxy een langere time-out.",
    alexa_not_enabled: "Home Assistant luistert nog niet naar Alexa. Als het niet net aan het opstarten is, zet dan de regel alexa: in configuration.yaml en herstart het.",
    wrong_address: "BASE_URL leidt niet naar Home Assistant. Verbeter het bij de omgevingsvariabelen van de Lambda-functie.",
    unreachable: "Ik kan Home Assistant niet bereiken. Kijk of het draait, of BASE_URL klopt en of de poort openstaat naar het internet.",
    insecure: "Ik kan geen veilige verbinding maken met Home Assistant. Controleer het certificaat. In het logboek van de Lambda-functie staat wat er mis is.",
    bad_answer: "Home Assistant gaf geen antwoord waar ik iets mee kan. In zijn logboek en in dat van de Lambda-functie staat meer.",
    late: "Home Assistant is er nog mee bezig.",
};

const JAPANESE: Messages = Messages {
    setting_missing: "{setting} が設定されていません。Lambda 関数の環境変数に追加してください。",
    setting_wrong: "{setting} の値が正しくありません。Lambda 関数の環境変数で直してください。",
    link_account: "Home Assistant があなたを認識できません。Alexa アプリでアカウントをもう一度リンクしてください。",
    banned: "Home Assistant にブロックされています。ip_bans.yaml から私のアドレスを削除して、Home Assistant を再起動してください。",
    firewall: "Home Assistant の手前のファイアウォールに止められました。/api/alexa へのリクエストを通してください。",
    proxy_not_trusted: "Home Assistant がリバースプロキシを信頼していません。設定、システム、ネットワークの信頼できるプロキシに追加してください。バージョン 2026.8 より前では configuration.yaml に追加してください。",
    proxy_timeout: "Home Assistant が手前のプロキシに時間内に応答しませんでした。プロキシのタイムアウトを長くしてください。",
    alexa_not_enabled: "Home Assistant はまだ Alexa を受け付けていません。起動中でなければ、configuration.yaml に alexa: の行を追加して、再起動してください。",
    wrong_address: "BASE_URL の先に Home Assistant がありません。Lambda 関数の環境変数で直してください。",
    unreachable: "Home Assistant につながりません。動いているか、BASE_URL が正しいか、ポートがインターネットに開いているかを確認してください。",
    insecure: "Home Assistant に安全に接続できません。証明書を確認してください。原因は Lambda 関数のログにあります。",
    bad_answer: "Home Assistant から使える応答がありませんでした。詳しくは Home Assistant と Lambda 関数のログを見てください。",
    late: "Home Assistant はまだ処理しています。",
};

const HINDI: Messages = Messages {
    setting_missing: "{setting} सेट नहीं है। कृपया इसे Lambda फ़ंक्शन के एनवायरनमेंट वेरिएबल में जोड़ें।",
    setting_wrong: "{setting} का मान सही नहीं है। कृपया इसे Lambda फ़ंक्शन के एनवायरनमेंट वेरिएबल में ठीक करें।",
    link_account: "Home Assistant आपको नहीं पहचानता। कृपया Alexa ऐप में अपना अकाउंट फिर से लिंक करें।",
    banned: "Home Assistant ने मुझे ब्लॉक कर दिया है। कृपया ip_bans.yaml से मेरा पता हटाएँ और Home Assistant को रीस्टार्ट करें।",
    firewall: "Home Assistant के आगे के फ़ायरवॉल ने मुझे रोक दिया। कृपया /api/alexa के अनुरोधों को आने दें।",
    proxy_not_trusted: "Home Assistant अपने रिवर्स प्रॉक्सी पर भरोसा नहीं करता। कृपया उसे Settings, System, Network में Trusted proxies में जोड़ें, या वर्शन 2026.8 से पहले configuration.yaml में।",
    proxy_timeout: "Home Assistant ने अपने आगे के प्रॉक्सी को समय पर जवाब नहीं दिया। कृपया प्रॉक्सी का टाइमआउट बढ़ाएँ।",
    alexa_not_enabled: "Home Assistant अभी Alexa को नहीं सुनता। अगर वह अभी शुरू नहीं हो रहा है, तो कृपया configuration.yaml में alexa: वाली लाइन जोड़ें और उसे रीस्टार्ट करें।",
    wrong_address: "BASE_URL से Home Assistant नहीं मिलता। कृपया इसे Lambda फ़ंक्शन के एनवायरनमेंट वेरिएबल में ठीक करें।",
    unreachable: "मैं Home Assistant तक नहीं पहुँच पा रही। कृपया देखें कि वह चल रहा है, BASE_URL सही है और उसका पोर्ट इंटरनेट के लिए खुला है।",
    insecure: "मैं Home Assistant से सुरक्षित रूप से कनेक्ट नहीं कर पा रही। कृपया उसका सर्टिफ़िकेट जाँचें। Lambda फ़ंक्शन के लॉग में कारण लिखा है।",
    bad_answer: "Home Assistant ने कोई काम का जवाब नहीं दिया। उसके लॉग और Lambda फ़ंक्शन के लॉग में ज़्यादा जानकारी है।",
    late: "Home Assistant अभी इस पर काम कर रहा है।",
};

const ARABIC: Messages = Messages {
    setting_missing: "لم يتم تعيين {setting}. يرجى إضافته إلى متغيرات البيئة لدالة Lambda.",
    setting_wrong: "قيمة {setting} غير صالحة. يرجى تصحيحها في متغيرات البيئة لدالة Lambda.",
    link_account: "لا يعرف Home Assistant من أنت. يرجى ربط حسابك من جديد في تطبيق Alexa.",
    banned: "لقد حظرني Home Assistant. يرجى حذف عنواني من ip_bans.yaml وإعادة تشغيل Home Assistant.",
    firewall: "أوقفني جدار حماية أمام Home Assistant. يرجى السماح بمرور الطلبات إلى /api/alexa.",
    proxy_not_trusted: "لا يثق Home Assistant بالوكيل العكسي. يرجى إضافته إلى Trusted proxies في الإعدادات، النظام، الشبكة، أو قبل الإصدار 2026.8 في configuration.yaml.",
    proxy_timeout: "لم يرد Home Assistant على الوكيل أمامه في الوقت المناسب. يرجى زيادة مهلة الوكيل.",
    alexa_not_enabled: "لا يستقبل Home Assistant طلبات Alexa بعد. إذا لم يكن قيد بدء التشغيل الآن، فيرجى إضافة السطر alexa: إلى configuration.yaml وإعادة تشغيله.",
    wrong_address: "لا يؤدي BASE_URL إلى Home Assistant. يرجى تصحيحه في متغيرات البيئة لدالة Lambda.",
    unreachable: "لا أستطيع الوصول إلى Home Assistant. يرجى التأكد من أنه يعمل وأن BASE_URL صحيح وأن المنفذ مفتوح على الإنترنت.",
    insecure: "لا أستطيع الاتصال بـ Home Assistant بشكل آمن. يرجى التحقق من شهادته. يوضح سجل دالة Lambda سبب المشكلة.",
    bad_answer: "لم يعطِ Home Assistant إجابة يمكنني استخدامها. يوجد المزيد في سجله وفي سجل دالة Lambda.",
    late: "لا يزال Home Assistant يعمل على ذلك.",
};

#[cfg(test)]
mod tests {
    use super::*;

    /// The languages of custom skills.
    const LANGUAGES: [&str; 10] =
        ["ar-SA", "de-DE", "en-GB", "es-MX", "fr-CA", "hi-IN", "it-IT", "ja-JP", "nl-NL", "pt-BR"];

    /// What a person has to find, spelled as it is.
    const NAMES: [&str; 6] =
        ["BASE_URL", "Home Assistant", "ip_bans.yaml", "/api/alexa", "configuration.yaml", "alexa:"];

    fn sentences(messages: &Messages) -> [&'static str; 13] {
        let Messages { setting_missing, setting_wrong, link_account, banned, firewall, proxy_not_trusted, .. } =
            *messages;
        let Messages {
            proxy_timeout, alexa_not_enabled, wrong_address, unreachable, insecure, bad_answer, late, ..
        } = *messages;
        [
            setting_missing,
            setting_wrong,
            link_account,
            banned,
            firewall,
            proxy_not_trusted,
            proxy_timeout,
            alexa_not_enabled,
            wrong_address,
            unreachable,
            insecure,
            bad_answer,
            late,
        ]
    }

    #[test]
    fn every_sentence_can_be_spoken_and_names_what_the_english_one_names() {
        for locale in LANGUAGES {
            for (text, english) in sentences(Messages::of(locale)).into_iter().zip(sentences(&ENGLISH)) {
                let spoken = text.replace("{setting}", "LONG_LIVED_ACCESS_TOKEN");
                assert!(spoken.ends_with(['.', '।', '。']), "{locale}: {spoken}");
                assert!(spoken.chars().count() <= 200, "{locale}: {} characters: {spoken}", spoken.chars().count());
                assert!(!spoken.contains(['&', '<', '>', '"', '\'', '\\', '{', '}']), "{locale}: {spoken}");
                for name in NAMES.iter().chain(&["{setting}"]).filter(|name| english.contains(**name)) {
                    assert!(text.contains(name), "{locale}: {name} in {text}");
                }
            }
        }
    }

    #[test]
    fn every_language_has_sentences_of_its_own() {
        for locale in LANGUAGES {
            let same = sentences(Messages::of(locale)).into_iter().zip(sentences(&ENGLISH)).filter(|(a, b)| a == b);
            assert_eq!(same.count(), if locale == "en-GB" { 13 } else { 0 }, "{locale}");
        }
        assert_eq!(Messages::of("xx-XX").late, ENGLISH.late);
    }
}
